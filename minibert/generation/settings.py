"""How a text is continued: the arguments of `generate`, checked."""

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from minibert.errors import ConfigError

HOTTEST = 1e30
COLDEST = 1e-30  # logits divided by a temperature below it overflow, and chance has had no say long before
PENALTIES = 1e-3, 1e3


@dataclass(frozen=True)
class GenerationSettings:
    """The arguments of `minibert.generation.generate`, which describes them. Raises `ConfigError`."""

    max_new_tokens: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    num_return_sequences: int = 1
    do_sample: bool | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    seed: int | None = None
    slide: bool = False

    def __post_init__(self) -> None:
        for name, least in (("max_new_tokens", 1), ("num_return_sequences", 1), ("top_k", 0)):
            _check_integer(name, getattr(self, name), least)
        for name in ("temperature", "top_p", "repetition_penalty"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not abs(value) <= HOTTEST:
                raise ConfigError(f"{name} must be a finite number, but is {value!r}")
        if self.temperature < 0:
            raise ConfigError(
                f"temperature must not be negative, but is {self.temperature} (0: no chance, the best token)"
            )
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, but is {self.top_p}")
        least, most = PENALTIES
        if not least <= self.repetition_penalty <= most:
            raise ConfigError(
                f"repetition_penalty must be within {least:g}..{most:g}, but is {self.repetition_penalty}"
            )
        if not isinstance(self.eos_token_id, Integral | list | tuple | None):
            raise ConfigError(f"eos_token_id must be an integer or a list of them, but is {self.eos_token_id!r}")
        if self.seed is not None:
            _check_integer("seed", self.seed, 0)
        if self.num_return_sequences > 1 and not self.samples:
            raise ConfigError(
                f"num_return_sequences is {self.num_return_sequences}, but without sampling all would be the same: "
                "set do_sample=True and a temperature above 0"
            )

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn. Unless `do_sample` says, they are if an option that is about drawing was given."""
        asked = self.temperature != 1 or self.top_k > 0 or self.top_p < 1 or self.num_return_sequences > 1
        wanted = (asked or self.seed is not None) if self.do_sample is None else self.do_sample
        return bool(wanted) and self.temperature > COLDEST

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text."""
        eos = self.eos_token_id
        return () if eos is None else (eos,) if isinstance(eos, Integral) else tuple(eos)

    @property
    def padding(self) -> int:
        """What stands behind the end of a text while others of the batch go on."""
        return self.pad_token_id if self.pad_token_id is not None else (*self.ends, 0)[0]

    def check_tokens(self, vocab_size: int) -> None:
        """Raise `ConfigError` for an id outside the vocabulary."""
        for name, ids in (("eos_token_id", self.ends), ("pad_token_id", (self.padding,))):
            for id in ids:
                _check_integer(name, id, 0)
                if id >= vocab_size:
                    raise ConfigError(f"{name} is {id}, but must be within 0..{vocab_size - 1}")


def settings_of(max_new_tokens: int | None, options: dict[str, Any]) -> GenerationSettings:
    """Return the arguments of a call of `generate`. Raises `ConfigError` if there is no such option, too."""
    if max_new_tokens is None:
        instead = ", instead of max_length, which would count the prompt too" if "max_length" in options else ""
        raise ConfigError(f"max_new_tokens is missing: say how many tokens to write{instead}")
    known = [field.name for field in fields(GenerationSettings)]
    if unknown := sorted(options.keys() - set(known)):
        raise ConfigError(f"generate has no option {unknown[0]!r}: there are {', '.join(known)}")
    return GenerationSettings(max_new_tokens, **options)


def _check_integer(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be an integer of at least {least}, but is {value!r}")

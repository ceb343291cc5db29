"""What all model configurations share: reading, writing and checking `config.json`."""

import dataclasses
import difflib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from minibert.errors import CheckpointError, ConfigError
from minibert.fields import short
from minibert.files import read_object, write_json

LARGEST = 10_000_000  # of all sizes: a larger one is a damaged file
MOST_LAYERS = 1_000
TIED = {"tie_word_embeddings": True}  # the token table decodes too: see `Config.fixed`


def weights_of(rows: int, D: int, F: int, L: int) -> int:
    """Return rows D of the tables + L (4 D^2 + 2 D F) of the layers, the matrices of a Transformer."""
    return rows * D + L * (4 * D**2 + 2 * D * F)


@dataclasses.dataclass
class Config:
    """A model's configuration, with the field names and defaults of Hugging Face's `config.json`.

    Fields of a file that minibert does not know are ignored: they concern other software.
    """

    model_type: ClassVar[str]
    sizes: ClassVar[dict[str, dict[str, int]]] = {}  # the released sizes by name
    fixed: ClassVar[dict[str, Any]] = {}  # fields of `config.json` of which only this value is computed here

    def __new__(cls, *args: Any, **values: Any) -> Self:
        """Explain a field that there is not: a `TypeError` of Python would name neither it nor what was meant."""
        names = [field.name for field in dataclasses.fields(cls)]
        if unknown := [name for name in values if name not in names]:
            close = difflib.get_close_matches(unknown[0], names, n=1)
            raise ConfigError(
                f"{cls.__name__} has no field {unknown[0]!r}" + "".join(f"; did you mean {name}?" for name in close)
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            self._check_type(field.name, field.type)
        self.validate()

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""

    def weight_count(self) -> int:
        """Return how many numbers the tables and the weights of the layers hold: nearly all that a model has."""
        raise NotImplementedError

    @classmethod
    def named(cls, name: str, **changes: Any) -> Self:
        """Return the configuration of a released size, for example "bert-tiny"."""
        if name not in cls.sizes:
            raise ConfigError(f"no model size named {name!r}: choose one of {', '.join(cls.sizes)}")
        return cls(**{**cls.sizes[name], **changes})

    @classmethod
    def from_dict(cls, values: dict[str, Any], **changes: Any) -> Self:
        """Return the configuration that a parsed `config.json` describes, with `changes` of its fields.

        Raises
        ------
        ConfigError
            If it asks for a variant of the model that is not computed here, or a change is of no field.
        """
        for name, value in cls.fixed.items():
            if values.get(name, value) != value:
                raise ConfigError(
                    f"{name} is {short(values[name])}: models of this kind are not supported, only {value!r}"
                )
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known} | changes)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **changes: Any) -> Self:
        """Read `config.json` of a checkpoint folder; `changes` go before what it says.

        Raises
        ------
        CheckpointError
            If there is no such file, it is not JSON, or it describes another kind of model.
        ConfigError
            If a value cannot work, or asks for a variant of the model that is not computed here.
        """
        path = Path(folder) / "config.json"
        if not path.is_file():
            raise CheckpointError(f"{path}: not found; a checkpoint is a folder with config.json and model.safetensors")
        values = read_object(path)
        model_type = values.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise CheckpointError(f"{path}: model_type is {short(model_type)}, expected {cls.model_type!r}")
        try:
            return cls.from_dict(values, **changes)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    def to_dict(self, **more: Any) -> dict[str, Any]:
        """Return what `config.json` holds."""
        return {"model_type": self.model_type, **dataclasses.asdict(self), **more}

    def save_pretrained(self, folder: str | Path, **more: Any) -> None:
        """Write `config.json` into a folder."""
        write_json(Path(folder) / "config.json", self.to_dict(**more))

    def _check_type(self, name: str, expected: type) -> None:
        value = getattr(self, name)
        allowed = get_args(expected) or (expected,)  # `int | None` allows two types
        if float in allowed and type(value) is int:
            setattr(self, name, float(min(max(value, -1e300), 1e300)))  # an integer may be too large for a float
        elif type(value) not in allowed:
            raise ConfigError(f"{name} must be {getattr(expected, '__name__', expected)}, but is {short(value)}")
        elif type(value) is float and not math.isfinite(value):
            raise ConfigError(f"{name} must be finite, but is {value!r}")

    def _check_positive(self, *names: str, most: int = LARGEST) -> None:
        for name in names:
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, but is {short(value)}")
            if value > most:
                raise ConfigError(f"{name} must be at most {most:,}, but is {short(value)}")

    def _check_token_ids(self, *names: str, most: int = LARGEST) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise ConfigError(f"{name} must be within 0..{most:,}, or None, but is {short(value)}")

    def _check_heads(self, heads: str, width: str) -> None:
        H, D = getattr(self, heads), getattr(self, width)
        if D % H:
            raise ConfigError(f"{heads} must divide {width}, but {H} heads do not divide a width of {D}")

    def _check_choice(self, name: str, choices: Iterable[str]) -> None:
        if getattr(self, name) not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}, but is {short(getattr(self, name))}")

    def _check_scale(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) <= 1000:
                raise ConfigError(f"{name} must be positive, and at most 1000, but is {getattr(self, name)}")

    def _check_probability(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 0 and less than 1, but is {getattr(self, name)}")

"""What a configuration says about the labels of a task, as in Hugging Face's `config.json`."""

from dataclasses import dataclass
from typing import Any, Self

from minibert.errors import ConfigError
from minibert.fields import short
from minibert.models.config import Config

REGRESSION, SINGLE_LABEL, MULTI_LABEL = PROBLEMS = (
    "regression",
    "single_label_classification",
    "multi_label_classification",
)
MOST_LABELS = 100_000
LABEL_FIELDS = ("num_labels", "id2label", "label2id")


@dataclass(kw_only=True)
class LabelConfig(Config):
    """How many labels there are, what they are called, and what kind of problem they pose.

    Two labels are the default. A file has the names, and only if they are not those of the default;
    `num_labels` is their number.
    """

    num_labels: int | None = None
    id2label: dict | None = None  # number -> name, by default LABEL_0, LABEL_1, ...
    label2id: dict | None = None
    problem_type: str | None = None  # one of PROBLEMS; None: the labels of a batch tell

    def __post_init__(self) -> None:
        self._complete_labels()
        super().__post_init__()
        if self.problem_type not in (None, *PROBLEMS):
            raise ConfigError(f"problem_type must be one of {', '.join(PROBLEMS)}, but is {short(self.problem_type)}")
        if self.problem_type == SINGLE_LABEL and self.num_labels == 1:
            raise ConfigError(
                f"problem_type {SINGLE_LABEL!r} needs num_labels of at least 2; for numbers use {REGRESSION!r}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any], **changes: Any) -> Self:
        """Return the configuration that a parsed `config.json` describes, with `changes`.

        Names that do not fit the labels of `changes` are forgotten.
        """
        names, number = values.get("id2label"), values.get("num_labels") or 2
        number = len(names) if names and isinstance(names, dict) else number
        if {"id2label", "label2id"} & changes.keys() or changes.get("num_labels", number) != number:
            values = {name: value for name, value in values.items() if name not in LABEL_FIELDS}
        return super().from_dict(values, **changes)

    def to_dict(self, **more: Any) -> dict[str, Any]:
        """Return what `config.json` holds."""
        values = super().to_dict(**more)
        if values.pop("num_labels") == 2 and self.id2label == _default_names(2):
            del values["id2label"], values["label2id"]
        return values

    def _complete_labels(self) -> None:
        """Derive what is not given of names and number."""
        if self.id2label is None and self.label2id is None:
            n = 2 if self.num_labels is None else self.num_labels
            if type(n) is not int or n < 1:
                raise ConfigError(f"num_labels must be an integer of at least 1, but is {short(n)}")
            if n > MOST_LABELS:
                raise ConfigError(f"num_labels must be at most {MOST_LABELS:,}, but is {short(n)}")
            self.id2label = _default_names(n)
        try:
            if self.id2label is None:
                self.id2label = {number: name for name, number in self.label2id.items()}
            self.id2label = {int(number): name for number, name in self.id2label.items()}
            set(self.id2label.values())  # a name that cannot be a key is none
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise ConfigError("id2label must map the numbers 0, 1, ... to names, and label2id the other way") from None
        n = len(self.id2label)
        if sorted(self.id2label) != list(range(n)) or n == 0:
            raise ConfigError(
                f"id2label must name each of the labels 0, 1, ..., but names {short(sorted(self.id2label))}"
            )
        if self.num_labels not in (None, n):
            raise ConfigError(
                f"num_labels is {short(self.num_labels)}, but id2label names {n} labels: give one of the two"
            )
        self.num_labels = n
        if self.label2id is None:
            self.label2id = {name: number for number, name in self.id2label.items()}


def _default_names(n: int) -> dict[int, str]:
    return {i: f"LABEL_{i}" for i in range(n)}

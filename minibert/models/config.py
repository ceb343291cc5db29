"""What all model configurations share: reading, writing and checking `config.json`."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from minibert.errors import CheckpointError, ConfigError
from minibert.files import write_json


@dataclasses.dataclass
class Config:
    """A model's configuration, with the field names and defaults of Hugging Face's `config.json`.

    Fields of a file that minibert does not know are ignored: they concern other software.
    """

    model_type: ClassVar[str]
    sizes: ClassVar[dict[str, dict[str, int]]] = {}  # the released sizes by name
    fixed: ClassVar[dict[str, Any]] = {}  # fields of `config.json` of which only this value is computed here

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            self._check_type(field.name, field.type)
        self.validate()

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""

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
                raise ConfigError(f"{name} is {values[name]!r}: models of this kind are not supported, only {value!r}")
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := changes.keys() - known:
            raise ConfigError(f"{cls.__name__} has no field {sorted(unknown)[0]!r}")
        return cls(**{name: value for name, value in values.items() if name in known} | changes)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **changes: Any) -> Self:
        """Read `config.json` of a checkpoint folder; `changes` go before what it says.

        Raises
        ------
        CheckpointError
            If there is no such file, it is not JSON, or it describes another kind of model.
        """
        path = Path(folder) / "config.json"
        if not path.is_file():
            raise CheckpointError(f"{path}: not found; a checkpoint is a folder with config.json and model.safetensors")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path}: not valid JSON ({error})") from error
        if not isinstance(values, dict):
            raise CheckpointError(f"{path}: expected a JSON object, found {type(values).__name__}")
        model_type = values.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise CheckpointError(f"{path}: model_type is {model_type!r}, expected {cls.model_type!r}")
        return cls.from_dict(values, **changes)

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
            setattr(self, name, float(value))
        elif type(value) not in allowed:
            raise ConfigError(f"{name} must be {getattr(expected, '__name__', expected)}, but is {value!r}")
        elif type(value) is float and not math.isfinite(value):
            raise ConfigError(f"{name} must be finite, but is {value!r}")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, but is {getattr(self, name)}")

    def _check_probability(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 0 and less than 1, but is {getattr(self, name)}")

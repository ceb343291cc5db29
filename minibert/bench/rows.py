"""Rows of the report: what was measured, and what it should have been."""

import operator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SENSES = {">=": operator.ge, "<=": operator.le}


class Target(NamedTuple):
    """A bound for one value of a row, for example times_torch >= 1.3."""

    key: str
    sense: str
    bound: float


@dataclass
class Row:
    """One line of the table, and one object of the JSON file.

    Keys of `values` that occur: `kernels_ms`, `numpy_ms`, `torch_ms` (medians); `times_numpy`, `times_torch`, how many
    times as fast as those the kernels are; `times_full`, how many times as fast as full attention causal attention is;
    in the section of training steps `ms` and `times`, likewise;
    `tokens_per_second`; `gflops`; `share` of the best matrix product;
    `gigabytes_per_second` of weights read and `memory_share`, of the fastest streaming read;
    `outside_kernels`, the share of a step that is
    not spent in compiled functions; memory `mb` in MB (10^6 bytes) and `memory_ratio`, what the kernels take of it;
    `seconds`. None: not measured.
    """

    section: str  # "ops", "memory", "steps", "decoding", "encoding" or "cold"
    name: str
    values: dict[str, float | None]
    targets: tuple[Target, ...] = ()
    note: str = ""
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    def judge(self) -> None:
        """Compare the values with the targets. A value that could not be measured is neither met nor missed."""
        self.verdicts = []
        for key, sense, bound in self.targets:
            value = self.values.get(key)
            met = None if value is None else bool(SENSES[sense](value, bound))
            self.verdicts.append({"key": key, "sense": sense, "bound": bound, "met": met})

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        return {
            "section": self.section,
            "name": self.name,
            "note": self.note,
            **self.values,
            "targets": self.verdicts,
        }


def ratio(a: float | None, b: float | None) -> float | None:
    """a / b, or None if either was not measured."""
    return None if a is None or b is None else a / b

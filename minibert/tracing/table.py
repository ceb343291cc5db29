"""Tables that print in a terminal and show in a notebook."""

from html import escape
from typing import NamedTuple


class Table(NamedTuple):
    """Rows of strings under a header; a column of numbers, whose header ends in a unit, stands to the right."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: frozenset[int]  # columns that stand to the right
    note: str = ""

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i in self.right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.header, *self.rows)
        ]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            sides = ("right" if i in self.right else "left" for i in range(len(cells)))
            return "".join(
                f'<{tag} style="text-align:{side};white-space:pre">{escape(cell)}</{tag}>'
                for cell, side in zip(cells, sides, strict=True)
            )

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        return f"<table><tr>{row(self.header, 'th')}</tr>{body}</table><p>{escape(self.note)}</p>"

"""A table as plain data: what the page, CSV and LaTeX are all written from."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

Datum = str | float | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column, under a group heading if it has one. `published` columns hold no measurement of this study."""

    label: str
    group: str = ""
    numeric: bool = True
    published: bool = False
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What one cell of a table shows: a text, a second line, and the marks of its notes."""

    text: str
    small: str = ""
    marks: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    mark: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`rows` are formatted; `data` holds the unrounded values, one record a line of CSV."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    data: tuple[dict[str, Datum], ...]
    notes: tuple[Note, ...] = ()

    @property
    def groups(self) -> list[tuple[str, int, bool]]:
        """Group headings with their spans and whether they are published ones; empty where no column has a group."""
        if not any(column.group for column in self.columns):
            return []
        runs = [
            (key, list(columns))
            for key, columns in groupby(self.columns, key=lambda column: (column.group, column.published))
        ]
        return [(group, len(columns), published) for (group, published), columns in runs]


@dataclass(slots=True)
class Reasons:
    """Letters for the reasons that a table's dashes refer to, one letter a reason."""

    letters: dict[str, str] = field(default_factory=dict)

    def mark(self, reason: str) -> str:
        text = reason.strip() or "No reason was recorded."
        return self.letters.setdefault(text, letter(len(self.letters)))

    @property
    def notes(self) -> list[Note]:
        return [Note(mark, f"No data: {text.rstrip('.')}.") for text, mark in self.letters.items()]


def letter(number: int) -> str:
    """a to z, then aa, ab, and so on."""
    first, last = divmod(number, 26)
    return (letter(first - 1) if first else "") + chr(ord("a") + last)

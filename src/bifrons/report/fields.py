"""Typed access to parsed JSON: every refusal names the file and the key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bifrons.records import read_json


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object with the file it came from and the key that leads to it."""

    value: dict[str, Any]
    file: Path
    key: str = ""

    def path(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def refuse(self, name: str, expected: str) -> ValueError:
        found = repr(self.value[name])[:60] if name in self.value else "nothing"
        return ValueError(f"{self.file}: {self.path(name)}: expected {expected}, found {found}")

    def has(self, name: str) -> bool:
        return self.value.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; `default` where the key is absent or null, else ValueError."""
        if not self.has(name) and default is not None:
            return default
        value = self.value.get(name)
        if not isinstance(value, str):
            raise self.refuse(name, "a text")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:
        if self.value.get(name) not in choices:
            raise self.refuse(name, "one of " + ", ".join(choices))
        return self.value[name]

    def flag(self, name: str, default: bool) -> bool:
        value = self.value.get(name, default)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def number(self, name: str) -> float | None:
        """A finite number, or None where the key is absent or null."""
        if not self.has(name):
            return None
        if not is_number(self.value[name]):
            raise self.refuse(name, "a finite number or null")
        return float(self.value[name])

    def whole(self, name: str) -> int | None:
        if not self.has(name):
            return None
        value = self.value[name]
        if not is_number(value) or value != int(value):
            raise self.refuse(name, "a whole number or null")
        return int(value)

    def needed_whole(self, name: str) -> int:
        value = self.whole(name)
        if value is None:
            raise self.refuse(name, "a whole number")
        return value

    def bounds(self, name: str) -> tuple[float, float] | None:
        """An interval [low, high]; None where it or one of its ends is null."""
        if not self.has(name):
            return None
        value = self.value[name]
        if not isinstance(value, list) or len(value) != 2 or not all(end is None or is_number(end) for end in value):
            raise self.refuse(name, "[low, high]")
        return None if None in value else (float(value[0]), float(value[1]))

    def numbers(self, name: str) -> tuple[float, ...]:
        """The numbers of a list without its nulls; empty where the key is absent."""
        value = self.value.get(name) or []
        if not isinstance(value, list) or not all(item is None or is_number(item) for item in value):
            raise self.refuse(name, "a list of numbers")
        return tuple(float(item) for item in value if item is not None)

    def texts(self, name: str) -> dict[str, str]:
        value = self.value.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self.refuse(name, "an object of texts")
        return value

    def node(self, name: str) -> Node:
        """An object; an empty one where the key is absent or null."""
        value = self.value.get(name) or {}
        if not isinstance(value, dict):
            raise self.refuse(name, "an object")
        return Node(value, self.file, self.path(name))

    def nodes(self, name: str, needed: bool = False) -> Iterator[Node]:
        """The objects of a list; none where the key is absent, unless it is needed."""
        value = self.value.get(name)
        if value is None and not needed:
            return
        if not isinstance(value, list):
            raise self.refuse(name, "a list")
        for place, item in enumerate(value):
            key = f"{self.path(name)}[{place}]"
            if not isinstance(item, dict):
                raise ValueError(f"{self.file}: {key}: expected an object, found {repr(item)[:60]}")
            yield Node(item, self.file, key)


def top(file: Path) -> Node:
    """The object that a JSON file holds."""
    value = read_json(file)
    if not isinstance(value, dict):
        raise ValueError(f"{file}: expected an object at the top")
    return Node(value, file)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

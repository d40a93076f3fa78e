"""Prompts of GenEval with what each drawing has to show (Ghosh et al. 2023)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bifrons.sources.example import Example, Wanted
from bifrons.sources.rows import Row, read_rows, take, text


def geneval_examples(where: str | Path, count: int | None = None) -> list[Example]:
    """The first `count` prompts of a metadata file; `group` is GenEval's tag. Raises ValueError that names file and
    record.
    """
    made: list[Example] = []
    for index, (place, row) in enumerate(read_rows(where)):
        if len(made) == count:
            break
        wanted = [want(item, place, False) for item in take(row, "include", list, place)]
        for number, item in enumerate(wanted):
            if item.position is not None and not 0 <= item.position[1] < len(wanted):
                raise ValueError(f"{place}: object {number} is placed beside object {item.position[1]}, which is none")
        wanted += [want(item, place, True) for item in row.get("exclude") or []]
        made.append(
            Example(
                id=f"geneval-{index}",
                image=b"",
                captions=(text(row, "prompt", place),),
                wanted=tuple(wanted),
                source="geneval",
                group=text(row, "tag", place),
            )
        )
    return made


def want(item: Any, where: str, excluded: bool) -> Wanted:
    if not isinstance(item, dict):
        raise ValueError(f"{where}: an object is of type {type(item).__name__}, not a table of named values")
    row: Row = item
    count = take(row, "count", int, where) if row.get("count") is not None else 1
    place = row.get("position")
    if place is not None and not (
        isinstance(place, list | tuple) and len(place) == 2 and isinstance(place[0], str) and isinstance(place[1], int)
    ):
        raise ValueError(f"{where}: 'position' has to be a relation and a number, and is {str(place)[:60]}")
    return Wanted(
        text(row, "class", where), count, str(row.get("color") or ""), None if place is None else tuple(place), excluded
    )

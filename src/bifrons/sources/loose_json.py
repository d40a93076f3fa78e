"""Records of a JSON file as HermesFlow writes them: objects with a comma after each, with or without brackets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bifrons.sources.rows import text_of


def loose_rows(path: Path) -> list[dict[str, Any]]:
    """All objects of a file: a JSON list, or objects with commas or line ends between and after them.

    Raises ValueError that names file and record for what is missing, cut short, no object, or empty.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    text = text_of(path).strip()
    if text.startswith("["):
        text = text[1:].removesuffix("]")
    decoder = json.JSONDecoder()
    rows: list[dict[str, Any]] = []
    place = 0
    while True:
        while place < len(text) and text[place] in ", \t\r\n":
            place += 1
        if place == len(text):
            break
        where = f"{path}, record {len(rows) + 1}"
        try:
            row, place = decoder.raw_decode(text, place)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{where}: not JSON ({getattr(error, 'msg', error)})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{where}: is of type {type(row).__name__}, not an object")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path}: holds no records")
    return rows

"""Pieces of long work kept as they are made, so that a kill costs one piece and what is done is not done again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bifrons.records import read_json, run_key, write_json


class SideFiles:
    """JSON pieces in a folder of their own for each definition; without a folder nothing is kept.

    The definition says all that decides the pieces, so pieces of another model or setting are never taken for these.
    """

    def __init__(self, folder: Path | None, definition: dict[str, Any]) -> None:
        self.folder = None if folder is None else folder / run_key(definition)
        if self.folder is not None and not (self.folder / "definition.json").is_file():
            write_json(self.folder / "definition.json", definition)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """The piece of this name: from disk where it is there, else made and kept."""
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.json"
        if path.is_file():
            return read_json(path)
        made = make()
        write_json(path, made)
        return made

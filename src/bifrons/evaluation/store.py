"""Sampled responses on disk, so that a metric that is added later is a function of what is stored and samples nothing.

A folder holds `about.json` (whose responses these are: weights, adapter, sampling, seed), `answers.jsonl` (text and
tokens) and `drawings.jsonl` (VQ codes). Files are written whole after each part of a sampling: a kill loses one
part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bifrons.protocol import Answer
from bifrons.records import content_hash, read_lines, write_json, write_text


class ResponseStore:
    """Responses by item id. Without a folder they are kept in memory alone.

    Every item is stored with a hash of what the model was shown: a response to something else under the same id counts
    as missing.
    """

    def __init__(self, folder: Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.about = dict(about or {})
        self.rows: dict[str, dict[str, dict[str, Any]]] = {"answers": {}, "drawings": {}}
        if folder is not None:
            for face, known in self.rows.items():
                path = folder / f"{face}.jsonl"
                if path.is_file():
                    known |= {row["id"]: row for row in read_lines(path)}

    def answer(self, item: str, shown: str) -> Answer | None:
        """The stored answer to what hashes to `shown`."""
        row = self.rows["answers"].get(item)
        if row is None or row["shown"] != shown:
            return None
        return Answer(row["text"], tuple(row["tokens"]), row["finished"])

    def codes(self, item: str, shown: str) -> tuple[int, ...] | None:
        """The stored codes of a drawing of what hashes to `shown`."""
        row = self.rows["drawings"].get(item)
        return None if row is None or row["shown"] != shown else tuple(row["codes"])

    def add_answers(self, items: Sequence[tuple[str, str]], answers: Sequence[Answer]) -> None:
        """`items` are (id, hash of what was shown), one an answer."""
        for (item, shown), answer in zip(items, answers, strict=True):
            row = {"text": answer.text, "tokens": list(answer.tokens), "finished": answer.finished}
            self.rows["answers"][item] = {"id": item, "shown": shown, **row}
        self.write("answers")

    def add_drawings(self, items: Sequence[tuple[str, str]], codes: Sequence[Sequence[int]]) -> None:
        """`items` are (id, hash of what was shown), one a drawing."""
        for (item, shown), row in zip(items, codes, strict=True):
            self.rows["drawings"][item] = {"id": item, "shown": shown, "codes": list(row)}
        self.write("drawings")

    def write(self, face: str) -> None:
        if self.folder is None:
            return
        if not (self.folder / "about.json").is_file():
            write_json(self.folder / "about.json", self.about)
        write_text(self.folder / f"{face}.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows[face].values()))


def adapter_fingerprint(folder: Path | None) -> str:
    """A hash of an adapter's weights and settings; empty for none. Raises ValueError for a folder without an
    adapter.
    """
    if folder is None:
        return ""
    try:
        parts = [(folder / name).read_bytes() for name in ("adapter_model.safetensors", "adapter_config.json")]
    except OSError:
        raise ValueError(f"{folder}: holds no adapter (adapter_config.json and adapter_model.safetensors)") from None
    return content_hash(b"".join(parts))

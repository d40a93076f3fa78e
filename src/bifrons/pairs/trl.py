"""Understanding pairs from and to the preference format of TRL: prompt, chosen, rejected and images, as plain texts or
as conversations, in JSON lines or Parquet.

Generation pairs have no place in it: its responses are texts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from bifrons.records import Provenance, UnderstandingPair, content_hash
from bifrons.records.files import refuse_duplicates, whole
from bifrons.records.pictures import to_image
from bifrons.sources.rows import Row, picture, read_rows

PLACEHOLDER = "<image>"  # where plain prompts of several data sets put their image
CHOSEN_SCORE = ("chosen_score", "score_chosen")
REJECTED_SCORE = ("rejected_score", "score_rejected")


def read_trl(where: str | Path, images: Path | None = None) -> list[UnderstandingPair]:
    """Pairs from a file, a folder or a data set's name. Images are in the rows, or files in `images` or beside the
    table.

    A prompt may be left out where both responses are conversations that begin with it. Raises ValueError that names
    source and record for what has no question, no answer or not exactly one image, and for several turns.
    """
    rows = read_rows(where)
    pairs: list[UnderstandingPair] = []
    for number, (place, row) in enumerate(rows, start=1):
        prompt, chosen, rejected = sides_of(row, place)
        question = said(prompt, "user", f"{place}: the prompt")
        answers = [
            said(side, "assistant", f"{place}: {name}") for name, side in (("chosen", chosen), ("rejected", rejected))
        ]
        origin = Provenance(
            builder="imported",
            details={"from": Path(where).name},
            chosen_score=score(row, CHOSEN_SCORE, place),
            rejected_score=score(row, REJECTED_SCORE, place),
        )
        try:
            pair = UnderstandingPair(
                id=str(row["id"] if row.get("id") is not None else f"{Path(where).stem}-{number}"),
                image=picture(image_of(row, place), images or rows.folder, place),
                question=question.replace(PLACEHOLDER, "").strip(),
                chosen=answers[0],
                rejected=answers[1],
                kind=str(row.get("kind") or ""),
                provenance=origin,
            )
        except ValueError as error:
            raise ValueError(str(error) if str(error).startswith(place) else f"{place}: {error}") from None
        pairs.append(pair)
    refuse_duplicates(Path(where), pairs)
    return pairs


def sides_of(row: Row, where: str) -> tuple[Any, Any, Any]:
    """Prompt, chosen and rejected; a prompt that both conversations begin with is taken off them."""
    for key in ("chosen", "rejected"):
        if not row.get(key):
            raise ValueError(f"{where}: has no {key!r}")
    chosen, rejected = row["chosen"], row["rejected"]
    if row.get("prompt"):
        return row["prompt"], chosen, rejected
    if not (isinstance(chosen, list) and isinstance(rejected, list)):
        raise ValueError(f"{where}: has no 'prompt'")
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    return chosen[:shared], chosen[shared:], rejected[shared:]


def said(side: Any, role: str, where: str) -> str:
    """The text of a side: as it is, or of a conversation's only turn."""
    if isinstance(side, list):
        if len(side) != 1 or not isinstance(side[0], dict):
            raise ValueError(f"{where} has {len(side)} turns; a pair is one question and one answer")
        if side[0].get("role") != role:
            raise ValueError(f"{where} is a turn of {str(side[0].get('role'))[:40]!r}, not of {role!r}")
        side = side[0].get("content")
        if isinstance(side, list):
            texts = [part.get("text") for part in side if isinstance(part, dict) and part.get("type") == "text"]
            side = "\n".join(text for text in texts if isinstance(text, str))
    if not isinstance(side, str) or not side.strip():
        raise ValueError(f"{where} holds no text")
    return side.strip()


def image_of(row: Row, where: str) -> Any:
    shown = row.get("images")
    listed = shown if isinstance(shown, list) else [found for found in (shown, row.get("image")) if found is not None]
    if len(listed) != 1:
        raise ValueError(f"{where}: has {len(listed)} images; a pair has exactly one")
    return listed[0]


def score(row: Row, columns: tuple[str, ...], where: str) -> float | None:
    found = next((row[column] for column in columns if row.get(column) is not None), None)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int | float)):
        raise ValueError(f"{where}: {columns[0]!r} is of type {type(found).__name__}, not a number")
    return found


def write_trl(path: Path, pairs: Sequence[UnderstandingPair], *, conversational: bool = True) -> None:
    """Write pairs to JSON lines, with their images as files in a folder beside it, or to Parquet, which holds them.

    Raises ValueError for another ending, and for no pairs.
    """
    if not pairs:
        raise ValueError(f"{path}: there are no pairs to write")
    if path.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{path}: the file has to end in .jsonl or .parquet")
    rows = [row_of(pair, conversational) for pair in pairs]
    if path.suffix == ".jsonl":
        folder = path.with_name(f"{path.stem}_images")
        for pair, row in zip(pairs, rows, strict=True):
            name = f"{content_hash(pair.image)}.{ending(pair)}"
            with whole(folder / name) as part:
                part.write_bytes(pair.image)
            row["images"] = [f"{folder.name}/{name}"]
        with whole(path) as part:
            part.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        return
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    for pair, row in zip(pairs, rows, strict=True):
        row["images"] = [{"bytes": pair.image, "path": f"{content_hash(pair.image)}.{ending(pair)}"}]
    table = arrow.Table.from_pylist(rows)
    described = json.dumps({"info": {"features": features(conversational)}})
    with whole(path) as part:
        parquet.write_table(table.replace_schema_metadata({"huggingface": described}), part)


def row_of(pair: UnderstandingPair, conversational: bool) -> dict[str, Any]:
    made = pair.provenance
    row: dict[str, Any] = {"id": pair.id, "kind": pair.kind}
    row |= {"chosen_score": made.chosen_score, "rejected_score": made.rejected_score}
    if not conversational:
        return row | {"prompt": pair.question, "chosen": pair.chosen, "rejected": pair.rejected}
    content = [{"type": "image", "text": None}, {"type": "text", "text": pair.question}]
    row["prompt"] = [{"role": "user", "content": content}]
    for name in ("chosen", "rejected"):
        row[name] = [{"role": "assistant", "content": [{"type": "text", "text": getattr(pair, name)}]}]
    return row


def ending(pair: UnderstandingPair) -> str:
    """The file ending of an image's own format."""
    to_image(pair.image, f"understanding pair {pair.id!r}")  # which names the pair where it cannot be read
    with Image.open(io.BytesIO(pair.image)) as opened:
        return {"JPEG": "jpg"}.get(str(opened.format), str(opened.format).lower())


def features(conversational: bool) -> dict[str, Any]:
    """The columns as `datasets` describes them, so that it gives the images as pictures."""
    text, number = ({"dtype": kind, "_type": "Value"} for kind in ("string", "float64"))
    turns: dict[str, Any] = text
    if conversational:
        parts = {"feature": {"type": text, "text": text}, "_type": "List"}
        turns = {"feature": {"role": text, "content": parts}, "_type": "List"}
    columns = {"id": text, "kind": text, "chosen_score": number, "rejected_score": number}
    columns |= dict.fromkeys(("prompt", "chosen", "rejected"), turns)
    return columns | {"images": {"feature": {"_type": "Image"}, "_type": "List"}}

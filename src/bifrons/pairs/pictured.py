"""Generation pairs from pictures that somebody ranked: each side is encoded to the model's own VQ codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bifrons.pairs.built import Built, Report
from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Provenance
from bifrons.records.pictures import centre_square, to_image
from bifrons.sources.rows import picture, read_rows, take_first

SIDES = {"chosen": ("chosen_image", "chosen"), "rejected": ("rejected_image", "rejected")}


def pictured_pairs(
    model: UnifiedModel,
    where: str | Path,
    images: Path | None = None,
    *,
    batch_size: int = 32,
    report: Report | None = None,
) -> Built[GenerationPair]:
    """Pairs from rows of prompt, chosen image and rejected image, in a file, a folder or a data set.

    The middle square of each picture is what counts. Raises ValueError that names source and record.
    """
    table = read_rows(where)
    rows, folder = list(table), images or table.folder
    built = Built[GenerationPair]()
    for start in range(0, len(rows), batch_size):
        some = rows[start : start + batch_size]
        pictures = [side_of(row, columns, folder, place) for place, row in some for columns in SIDES.values()]
        codes = model.encode(pictures)
        for i, (place, row) in enumerate(some):
            chosen, rejected = codes[2 * i], codes[2 * i + 1]
            prompt = take_first(row, ("prompt", "caption", "text"), str, place).strip()
            if not prompt:
                raise ValueError(f"{place}: the prompt is empty")
            if chosen == rejected:
                built.dropped["both pictures have the same codes"] += 1
                continue
            ident = row["id"] if row.get("id") is not None else f"{Path(where).stem}-{start + i + 1}"
            provenance = Provenance(builder="imported", details={"from": Path(where).name})
            built.pairs.append(
                GenerationPair(
                    id=str(ident),
                    prompt=prompt,
                    chosen_codes=chosen,
                    rejected_codes=rejected,
                    kind="pictured",
                    provenance=provenance,
                )
            )
        if report is not None:
            report(len(some))
    return built


def side_of(row: dict[str, Any], columns: tuple[str, ...], folder: Path | None, where: str) -> Any:
    shown = next((row[column] for column in columns if row.get(column) is not None), None)
    return centre_square(to_image(picture(shown, folder, f"{where}, {columns[1]}"), where))

"""HermesFlow's own pair file, and which of its records cannot be trusted.

Its code keeps the indices of the record before where the judge's best score is not above 0.6 or equals the worst, and
writes the record all the same: chosen and rejected drawing are then arbitrary. Such records are told by their scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Provenance, UnderstandingPair
from bifrons.records.pictures import to_image
from bifrons.sources.loose_json import loose_rows

MIN_BEST = 0.6  # the published threshold of the judge's accuracy
TEXTS = ("id", "img_path", "caption", "caption_win", "caption_lose", "image_win", "image_lose")
NUMBERS = ("bert_score_win", "bert_score_lose", "vqa_score_win", "vqa_score_lose")
SCORER = "HermesFlow's file: [CLS] cosine of captions, self-judged drawings"


@dataclass(slots=True)
class Imported:
    """Trusted pairs of both faces, with the same ids in one order; the others by id (or place) with every reason."""

    understanding: list[UnderstandingPair] = field(default_factory=list)
    generation: list[GenerationPair] = field(default_factory=list)
    distrusted: dict[str, list[str]] = field(default_factory=dict)


def import_hermesflow(
    path: Path,
    images: Path,
    model: UnifiedModel,
    *,
    question: str = "Give a caption for this image.",
    min_best: float = MIN_BEST,
) -> Imported:
    """Read a pair file. Drawings are given as pictures, so their codes are encoded anew: they are not the sampled ones.

    Raises ValueError that names the file for one that is missing or no list of objects.
    """
    found = Imported()
    rows = loose_rows(path)
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row.get("id"))] = counts.get(str(row.get("id")), 0) + 1
    for number, row in enumerate(rows, start=1):
        name = str(row["id"]) if row.get("id") not in (None, "") else f"record {number}"
        reasons = problems(row, min_best)
        if counts[str(row.get("id"))] > 1 and row.get("id") not in (None, ""):
            reasons.append(f"the id occurs {counts[name]} times")
        pictures: dict[str, bytes] = {}
        for key in ("img_path", "image_win", "image_lose"):
            if isinstance(row.get(key), str):
                pictures[key], reason = picture_of(images, row[key], key)
                reasons += [reason] if reason else []
        if reasons:
            found.distrusted.setdefault(name, []).extend(r for r in reasons if r not in found.distrusted.get(name, []))
            continue
        codes = model.encode([pictures["image_win"], pictures["image_lose"]])
        if codes[0] == codes[1]:
            found.distrusted[name] = ["both drawings have the same codes"]
            continue
        understanding, generation = pairs_of(row, name, pictures["img_path"], codes, question)
        found.understanding.append(understanding)
        found.generation.append(generation)
    return found


def problems(row: dict[str, Any], min_best: float) -> list[str]:
    """Every reason against a record that its fields show."""
    found = [f"no {key}" for key in TEXTS if not str(row.get(key) if row.get(key) is not None else "").strip()]
    found += [f"{key} is no number" for key in NUMBERS if not is_number(row.get(key))]
    if row.get("caption_win") and row.get("caption_win") == row.get("caption_lose"):
        found.append("both captions are the same")
    if all(is_number(row.get(key)) for key in NUMBERS):
        if not row["bert_score_win"] > row["bert_score_lose"]:
            found.append("the winning caption does not score above the losing one")
        if row["vqa_score_win"] == row["vqa_score_lose"] or not row["vqa_score_win"] > min_best:
            found.append(
                f"drawings stand under the indices of the record before (scores {row['vqa_score_win']:g} and "
                f"{row['vqa_score_lose']:g}; chosen has to be above {min_best:g} and above rejected)"
            )
    for key in ("image_win", "image_lose"):
        if isinstance(row.get(key), str) and row.get("id") not in (None, ""):
            folder = PurePosixPath(row[key]).parent.name
            if folder != str(row["id"]):
                found.append(f"{key} lies in the folder of {folder or 'no record'}")
    if row.get("image_win") and row.get("image_win") == row.get("image_lose"):
        found.append("both drawings are the same file")
    return found


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def picture_of(folder: Path, name: str, key: str) -> tuple[bytes, str]:
    """A picture's bytes, and what is wrong with it: missing, unreadable, or of one colour alone."""
    path = folder / name.removeprefix("./")
    if not path.resolve().is_relative_to(folder.resolve()):
        return b"", f"{key} lies outside the image folder"
    if not path.is_file():
        return b"", f"{key} is missing"
    content = path.read_bytes()
    try:
        pixels = np.asarray(to_image(content, name=str(path)))
    except ValueError as error:
        return b"", str(error)
    if (pixels == pixels[0, 0]).all():
        return b"", f"{key} is blank"
    return content, ""


def pairs_of(
    row: dict[str, Any], name: str, image: bytes, codes: list[tuple[int, ...]], question: str
) -> tuple[UnderstandingPair, GenerationPair]:
    def made(face: str) -> Provenance:
        return Provenance(
            builder="hermesflow_import",
            scorer=SCORER,
            chosen_score=float(row[f"{face}_score_win"]),
            rejected_score=float(row[f"{face}_score_lose"]),
            details={"codes": "encoded from pictures"},
        )

    understanding = UnderstandingPair(
        id=name,
        image=image,
        question=question,
        chosen=row["caption_win"],
        rejected=row["caption_lose"],
        kind="homologous",
        provenance=made("bert"),
    )
    generation = GenerationPair(
        id=name,
        prompt=row["caption"],
        chosen_codes=codes[0],
        rejected_codes=codes[1],
        kind="homologous",
        provenance=made("vqa"),
    )
    return understanding, generation

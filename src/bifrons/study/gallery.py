"""Examples for the report: drawings of one prompt and answers to one question, method beside method."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bifrons.protocol import UnifiedModel
from bifrons.records import write_json
from bifrons.scenes import IMAGE_SIZE, read, request, verify
from bifrons.sources.scenes import png
from bifrons.study.config import StudyConfig
from bifrons.study.data import StudyData

if TYPE_CHECKING:
    from bifrons.study.work import Outcome


def write_gallery(
    config: StudyConfig, folder: Path, outcomes: list[Outcome], model: UnifiedModel, data: StudyData
) -> None:
    """Write `gallery.json`: training pairs as they are, evaluation items as each method answered them (its first
    seed).
    """
    shown: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.status == "done":
            shown.setdefault(outcome.cell.method, outcome)
    drawings: list[dict[str, Any]] = []
    for pair in data.generation[: config.gallery.drawings // 2]:
        chosen, rejected = model.decode([pair.chosen_codes, pair.rejected_codes])
        drawings.append(
            {"prompt": pair.prompt, "chosen": encoded(chosen), "rejected": encoded(rejected), "drawn": {}, "notes": {}}
        )
    own = data.evaluation[: config.evaluation.items]  # benchmarks, which follow, have not both faces
    for example in own[: config.gallery.drawings]:
        methods = [m for m, outcome in shown.items() if example.id in outcome.evaluation["drawings"]]
        pixels = model.decode([shown[m].evaluation["drawings"][example.id] for m in methods])
        row = {"prompt": example.prompt, "chosen": "", "rejected": "", "drawn": {}, "notes": {}}
        for method, image in zip(methods, pixels, strict=True):
            row["drawn"][method] = encoded(image)
            row["notes"][method] = note(example.prompt, image)
        drawings.append(row)
    answers: list[dict[str, Any]] = []
    for index, example in enumerate(own[: config.gallery.answers]):
        question = example.questions[index % len(example.questions)]
        key = f"{example.id}/{question.kind}/{question.text}"
        said = {method: outcome.evaluation["answers"].get(key, "") for method, outcome in shown.items()}
        image = base64.b64encode(example.image).decode()
        answers.append({"image": image, "question": question.text, "truth": question.answer, "answers": said})
    write_json(folder / "gallery.json", {"drawings": drawings, "answers": answers})


def encoded(pixels: np.ndarray) -> str:
    return base64.b64encode(png(pixels)).decode()


def note(prompt: str, pixels: np.ndarray) -> str:
    asked = request(prompt)
    if not asked.items or pixels.shape != (IMAGE_SIZE, IMAGE_SIZE, 3):
        return ""
    verdict = verify(asked, read(pixels))
    return "exact" if verdict.exact else f"{verdict.attributes_right:.0%} of attributes"

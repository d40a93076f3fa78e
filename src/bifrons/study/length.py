"""Length and score of every method, within and across methods: `length.json`, a function of stored per-item scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bifrons.evaluation import length_confound
from bifrons.records import write_json

if TYPE_CHECKING:
    from bifrons.study.work import Outcome

SCORES = ("vqa_score", "vqa_score_length_free", "answer_accuracy")


def write_length(folder: Path, outcomes: list[Outcome]) -> None:
    """For each model the grid's methods, seeds pooled; what is varied beside the grid is left out."""
    models: dict[str, dict[str, list[Any]]] = {}
    for outcome in outcomes:
        if outcome.status == "done" and not outcome.cell.setting and outcome.evaluation:
            items = {name: scores["items"] for name, scores in outcome.evaluation["scores"].items()}
            label = outcome.cell.method + "".join(f" {value:g}" for _, value in outcome.cell.shown)
            models.setdefault(outcome.cell.model, {}).setdefault(label, []).append(items)
    found = {
        model: {score: length_confound(methods, score).as_json() for score in SCORES}
        for model, methods in models.items()
    }
    write_json(folder / "length.json", found)

"""One cell's evaluation: responses sampled, scored, and kept with the scores, so that galleries and new statistics need
no model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bifrons.evaluation import METRICS, evaluate, respond, scaled_constants
from bifrons.protocol import UnifiedModel
from bifrons.records import read_json, run_key, write_json
from bifrons.scorers import LengthConstants
from bifrons.scorers.clip import ClipScorer
from bifrons.scorers.content import words
from bifrons.sources import Example
from bifrons.study.config import EvaluationSection

EVALUATION_VERSION = 1


def evaluation_path(
    folder: Path, settings: EvaluationSection, seed: int, clip: ClipScorer, constants: LengthConstants | None
) -> Path:
    """Where the scores of these settings lie; other settings lie beside them and nothing is overwritten."""
    lengths = None if constants is None else [constants.full_bonus, constants.very_short]
    definition = settings.model_dump(mode="json") | {"seed": seed, "clip": clip.fingerprint, "lengths": lengths}
    return folder / "evaluation" / f"{run_key(definition | {'evaluation': EVALUATION_VERSION})}.json"


def evaluate_model(
    model: UnifiedModel,
    examples: list[Example],
    settings: EvaluationSection,
    clip: ClipScorer,
    *,
    seed: int,
    constants: LengthConstants | None,
    path: Path,
    report: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """The content of `path`: scores by metric, answers and codes by item. Read from disk where it was done before.

    `constants` None takes the length constants from this model's own answers: that is the base, and the rest is scored
    by it.
    """
    if path.is_file():
        return read_json(path)
    responses = respond(
        model,
        examples,
        temperature=settings.temperature,
        guidance=settings.guidance,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed + seed,
        report=report,
    )
    if constants is None:
        lengths = [len(words(row.answer.text)) for row in responses.answers]
        constants = scaled_constants(sum(lengths) / len(lengths))
    scores = evaluate(responses, clip=clip, constants=constants)
    found = {
        "constants": {"full_bonus": constants.full_bonus, "very_short": constants.very_short},
        "scores": {s.metric: {"items": s.items, "value": s.value, "reason": s.reason} for s in scores},
        "answers": {row.id: row.answer.text for row in (*responses.answers, *responses.presence)},
        "drawings": {row.id: list(row.drawing.codes) for row in responses.drawings},
    }
    write_json(path, found)
    return found


def separate(understanding: dict[str, Any], generation: dict[str, Any]) -> dict[str, Any]:
    """Each face judged by its own adapter: what routing by task would give."""
    by_task = {"understanding": understanding, "generation": generation}
    return {
        "constants": understanding["constants"],
        "scores": {name: by_task[metric.task]["scores"][name] for name, metric in METRICS.items()},
        "answers": understanding["answers"],
        "drawings": generation["drawings"],
    }

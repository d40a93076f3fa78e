"""The study's own record: what was run, on what, with which settings, and what became of every cell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bifrons.protocol import Identity
from bifrons.records import read_json, write_json
from bifrons.study.cells import BASE
from bifrons.study.config import StudyConfig
from bifrons.study.data import StudyData
from bifrons.study.describe import describe_methods, describe_metrics

if TYPE_CHECKING:
    from bifrons.study.work import Outcome

CLIP_NOTE = "A CLIP trained on scenes judges similarity, so published CLIPScores stand beside it only as differences."


def write_study_record(
    name: str, config: StudyConfig, folder: Path, outcomes: list[Outcome], identity: Identity, data: StudyData
) -> None:
    """Write `study.json`; the date of a first run stays."""
    path = folder / "study.json"
    created = read_json(path)["created"] if path.is_file() else datetime.now(UTC).isoformat(timespec="seconds")
    millions = int(identity.facts["parameters"]) / 1e6
    write_json(
        path,
        {
            "study": name,
            "title": config.title,
            "description": config.description,
            "model": identity.name,
            "model_revision": identity.revision,
            "model_fingerprint": identity.fingerprint,
            "models": list(config.all_models),
            "model_label": f"{identity.name} ({identity.family}, {millions:.1f} M parameters)",
            "created": created,
            "settings": flat(config.model_dump(mode="json", exclude={"title", "description", "claims", "vary"})),
            "metrics": describe_metrics([outcome.evaluation for outcome in outcomes]),
            "methods": describe_methods(
                list(dict.fromkeys([BASE, *config.methods, *(o.cell.method for o in outcomes)]))
            ),
            "cells": [cell_record(outcome) for outcome in outcomes],
            "pairs": data.summary,
            "margin_noise": {task: margin_noise(folder, outcomes, task) for task in ("understanding", "generation")},
            "notes": [CLIP_NOTE, *length_note(outcomes)],
        },
    )


def cell_record(outcome: Outcome) -> dict[str, Any]:
    return {
        "method": outcome.cell.method,
        "model": outcome.cell.model,
        "seed": outcome.cell.seed,
        "setting": dict(outcome.cell.shown),
        "key": outcome.key,
        "status": outcome.status,
        "reason": outcome.reason,
    }


def margin_noise(folder: Path, outcomes: list[Outcome], task: str) -> float | None:
    """The largest margin before step 0 over all runs; None where the task was not trained."""
    trained = [o for o in outcomes if o.cell.kind == "train" and o.status == "done"]
    values = [read_json(folder / o.key / "record.json")[f"margin_noise_{task}"] for o in trained]
    return max((value for value in values if value is not None), default=None)


def length_note(outcomes: list[Outcome]) -> list[str]:
    """What the length constants of the VQA score are, where anything was scored."""
    done = [outcome for outcome in outcomes if outcome.evaluation]
    if not done:
        return []
    constants = done[0].evaluation["constants"]
    figures = f"the full bonus at {constants['full_bonus']:.2f} words, very short below {constants['very_short']:.2f}"
    return [f"Length constants of the VQA score are scaled to the base model's own answers: {figures}."]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found

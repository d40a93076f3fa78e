"""A run that can no longer learn anything stops, and keeps what led there."""

from __future__ import annotations

import math
from pathlib import Path

from bifrons.records import Task, TaskStep, write_json
from bifrons.training.recipe import TASKS

FILE = "failure.json"


def check_finite(
    step: int, seen: dict[Task, TaskStep], norm: float | None, folder: Path | None, *, writes: bool = True
) -> None:
    """Raises ValueError of one line where a loss, or the norm of the weighted gradient, is not finite.

    The ids of the step's records are kept in `failure.json` of the run's folder; checkpoint and steps stay as they are.
    """
    in_order = {task: seen[task] for task in TASKS if task in seen}  # not the order in which they were computed
    bad = [f"the {task} loss is {own.loss}" for task, own in in_order.items() if not math.isfinite(own.loss)]
    if not bad and norm is not None and not math.isfinite(norm):
        bad = [f"the norm of the gradient is {norm}"]
    if not bad:
        return
    records = {task: list(own.records) for task, own in in_order.items()}
    what = f"step {step}: {' and '.join(bad)}"
    if folder is None:
        raise ValueError(f"{what}; its records are {', '.join(id for ids in records.values() for id in ids)}")
    if writes:
        write_json(folder / FILE, {"step": step, "reason": what, "records": records})
    raise ValueError(f"{what}; its records are named in {folder / FILE}, and the last checkpoint stands")

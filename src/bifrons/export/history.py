"""What the records around an adapter say of how it came about: nothing is asked of the user, nothing is made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bifrons.records import read_json, read_steps


@dataclass(frozen=True, slots=True)
class History:
    """Empty parts are records that are not there. `weights` are the mean (understanding, generation) over the steps."""

    recipe: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    weights: tuple[float, float] | None = None
    status: dict[str, Any] = field(default_factory=dict)
    study: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def history_of(adapter: Path, base: str = "") -> History:
    """Of an adapter at `<run>/adapter`, whose run may lie in a study's folder; `base` picks one of a study's models."""
    run = adapter.absolute().parent
    config, record, status = (json_of(run / file) for file in ("config.json", "record.json", "status.json"))
    study, results = json_of(run.parent / "study.json"), json_of(run.parent / "results.json")
    method = status.get("method") or record.get("strategy")
    setting = status.get("setting") or {}
    rows = [
        row
        for row in results.get("rows", [])
        if row.get("method") == method and (row.get("setting") or {}) == setting and row.get("mean") is not None
        if row.get("model", base) == base
    ]
    steps = read_steps(run / "steps.jsonl") if (run / "steps.jsonl").is_file() else []
    weights = None
    if steps:
        sums = [sum(getattr(step.weights, task) for step in steps) for task in ("understanding", "generation")]
        weights = (sums[0] / len(steps), sums[1] / len(steps))
    return History(
        recipe=config.get("recipe", {}) if "recipe" in config else {},
        record=record if "strategy" in record else {},
        weights=weights,
        status=status if "method" in status else {},
        study=study,
        rows=rows,
        versions=record.get("versions") or results.get("versions") or {},
    )


def json_of(path: Path) -> dict[str, Any]:
    """Raises ValueError for a file that is no JSON; one that is not there, or holds something else, is empty."""
    values = read_json(path) if path.is_file() else {}
    return values if isinstance(values, dict) else {}

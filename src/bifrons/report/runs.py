"""Step records reduced to what the report shows: series, Gramians of one method, falls of the chosen likelihood."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bifrons.records import Gramian, StepRecord, read_steps
from bifrons.report.inputs import Cell, Setting, Study, Variant
from bifrons.report.load import Inputs

Quantity = Literal[
    "cosine",
    "ratio",
    "weight_understanding",
    "weight_generation",
    "loss_understanding",
    "loss_generation",
    "spread_understanding",
    "spread_generation",
    "estimated_margin_understanding",
    "estimated_margin_generation",
]
MOST_POINTS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A run whose mean chosen log ratio over its last tenth is below 0: the chosen responses became less likely."""

    variant: Variant
    seed: int
    task: str
    log_ratio: float


@dataclass(slots=True)
class Runs:
    """What all step records of a study say. `values[method][quantity][step]` holds one value a seed."""

    values: dict[str, dict[Quantity, dict[int, list[float]]]] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    naive_total: list[Gramian] = field(default_factory=list)
    naive_layers: list[tuple[Gramian, ...]] = field(default_factory=list)
    falls: list[Fall] = field(default_factory=list)
    num_read: int = 0
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean over seeds, averaged into at most MOST_POINTS bins of steps, and its moving average."""

    steps: list[float]
    raw: list[float]
    smooth: list[float]


def read_runs(inputs: Inputs) -> Runs:
    """Read the step records of every finished training cell. Raises ValueError that names a bad file."""
    runs = Runs()
    kinds = {method.name: method.kind for method in inputs.study.methods}
    runs.settings = default_settings(inputs.study)
    for cell in inputs.study.cells:
        if cell.status != "done" or kinds[cell.method] != "train" or not cell.key:
            continue
        file = inputs.folder / cell.key / "steps.jsonl"
        if not file.is_file():
            runs.missing.append(f"{inputs.study.method(cell.method).label}, seed {cell.seed}")
            continue
        take(runs, cell, checked_steps(file), own_model=cell.model in ("", inputs.study.model))
    return runs


def default_settings(study: Study) -> dict[str, Setting]:
    """The setting that figures show of each method: its empty one, else the first that the study lists."""
    settings: dict[str, Setting] = {}
    for cell in study.cells:
        if cell.method not in settings or not cell.setting:
            settings[cell.method] = cell.setting
    return settings


def checked_steps(file: Path) -> list[StepRecord]:
    try:
        return read_steps(file)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: not step records ({type(error).__name__}: {error})") from None


def take(runs: Runs, cell: Cell, steps: list[StepRecord], *, own_model: bool = True) -> None:
    """Add one run's records; figures show the study's first model."""
    runs.num_read += 1
    runs.falls += falls_of(cell, steps)
    if cell.setting != runs.settings[cell.method] or not own_model:
        return
    series = runs.values.setdefault(cell.method, {})
    for record in steps:
        for quantity, value in quantities(record):
            if math.isfinite(value):
                series.setdefault(quantity, defaultdict(list))[record.step].append(value)
    if cell.method == "naive_joint":
        runs.naive_total += [record.gramian for record in steps if record.gramian is not None]
        runs.naive_layers += [record.layers for record in steps if record.layers]


def quantities(record: StepRecord) -> Iterator[tuple[Quantity, float]]:
    if record.gramian is not None:
        cosine, ratio = record.gramian.cosine, record.gramian.generation_over_understanding
        if cosine is not None and ratio is not None:
            yield "cosine", cosine
            yield "ratio", ratio
        yield "weight_understanding", record.weights.understanding
        yield "weight_generation", record.weights.generation
    if record.understanding is not None:
        yield "loss_understanding", record.understanding.loss
        if record.understanding.spread is not None:
            yield "spread_understanding", record.understanding.spread
            yield "estimated_margin_understanding", record.understanding.margin
    if record.generation is not None:
        yield "loss_generation", record.generation.loss
        if record.generation.spread is not None:
            yield "spread_generation", record.generation.spread
            yield "estimated_margin_generation", record.generation.margin


def falls_of(cell: Cell, steps: list[StepRecord]) -> list[Fall]:
    """The tasks of a run whose chosen likelihood fell."""
    falls = []
    last = steps[-max(1, len(steps) // 10) :]
    for task in ("understanding", "generation"):
        ratios = [getattr(record, task).chosen_log_ratio for record in last if getattr(record, task) is not None]
        mean = sum(ratios) / len(ratios) if ratios else 0.0
        if mean < 0:
            falls.append(
                Fall(
                    variant=Variant(cell.method, cell.setting, model=cell.model),
                    seed=cell.seed,
                    task=task,
                    log_ratio=mean,
                )
            )
    return falls


def curve(by_step: dict[int, list[float]]) -> Curve:
    """One quantity's curve: mean over seeds, binned, and smoothed by a centred window of a tenth of its points."""
    steps = sorted(by_step)
    size = max(1, math.ceil(len(steps) / MOST_POINTS))
    bins = [steps[start : start + size] for start in range(0, len(steps), size)]
    raw = [mean([mean(by_step[step]) for step in part]) for part in bins]
    half = max(1, len(raw) // 20)
    smooth = [mean(raw[max(0, place - half) : place + half + 1]) for place in range(len(raw))]
    return Curve([mean([float(step) for step in part]) for part in bins], raw, smooth)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)

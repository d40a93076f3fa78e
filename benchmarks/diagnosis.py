"""A strategy that weighs by gradients, with the full diagnosis of every layer, against `naive_joint` without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import bifrons.training.loop as loop
from benchmarks.measure import Paired, Row
from benchmarks.step import recipe_of
from benchmarks.subjects import SUBJECTS, Subject, generation_pairs, understanding_pairs
from bifrons import align
from bifrons.records import StepRecord

BAR = 1.03
DYNAMIC = ("pcgrad", "gradient_weighted", "gradient_weighted_smoothed")


def run(quick: bool, device: str) -> list[Row]:
    rows: list[Row] = []
    for name in ["organism"] if quick else ["organism", "slice fp32"] if device == "cpu" else ["1b"]:
        subject = SUBJECTS[name]
        steps, rounds = (4, 2) if quick else (30, 18) if name == "organism" else (3, 5)
        strategies = DYNAMIC if name == "organism" else DYNAMIC[:1]
        rows += [row(subject, device, strategy, steps, rounds) for strategy in strategies]
    return rows


def row(subject: Subject, device: str, strategy: str, steps: int, rounds: int) -> Row:
    """Rounds of some steps of each side in turn, on the same pairs; a round's figure is its median step."""
    model = subject.build(device)
    count = 4 if subject.shape == "organism" else 2
    pairs: dict[str, Any] = {
        "understanding": understanding_pairs(subject, count),
        "generation": generation_pairs(model, subject, count),
    }

    def seconds(name: str) -> float:
        recipe = recipe_of(subject, steps, name)
        done = align(model, **pairs, recipe=recipe, progress=False)
        model.remove_adapter()
        return median(step_seconds(done.steps))

    def plain() -> float:
        with undiagnosed():
            return seconds("naive_joint")

    plain(), seconds(strategy)
    theirs: list[float] = []
    ours: list[float] = []
    for turn in range(rounds):
        for work, into in ((plain, theirs), (lambda: seconds(strategy), ours))[:: 1 if turn % 2 else -1]:
            into.append(work())
    made = Paired(ours, theirs)  # the ratio is what the diagnosis costs
    return Row(
        benchmark="diagnosis",
        subject=subject.name,
        what=f"{strategy} with every layer / naive_joint without",
        ratio=made.ratio,
        bound=made.bound("upper"),
        bar=BAR,
        better="lower",
        seconds_baseline=median(theirs),
        seconds_ours=median(ours),
        repeats=rounds,
        details={"seconds_baseline": theirs, "seconds_ours": ours},
    )


def step_seconds(steps: list[StepRecord]) -> list[float]:
    """Without the first, which warms up."""
    return [step.seconds for step in steps[1:]] or [step.seconds for step in steps]


@contextmanager
def undiagnosed() -> Iterator[None]:
    """Within this block the training loop computes no Gramian at all: what naive joint training needs."""
    kept = loop.gramians
    loop.gramians = lambda *_: (None, ())  # type: ignore[assignment]
    try:
        yield
    finally:
        loop.gramians = kept

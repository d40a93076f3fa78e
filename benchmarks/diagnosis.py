"""A strategy that weighs by gradients, with the full diagnosis of every layer, against `naive_joint` without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import bifrons.training.loop as loop
from benchmarks.measure import Paired, Row
from benchmarks.step import recipe_of
from benchmarks.subjects import SUBJECTS, Subject, generation_pairs, understanding_pairs
from bifrons import align
from bifrons.records import Observation, State, StepRecord, Task, Weights
from bifrons.strategies import Strategy, make_strategy

BAR = 1.03
DYNAMIC = ("pcgrad", "gradient_weighted", "gradient_weighted_smoothed")
WARM = 4  # steps


def run(quick: bool, device: str) -> list[Row]:
    rows: list[Row] = []
    for name in ["organism"] if quick else ["organism", "slice fp32"] if device == "cpu" else ["1b"]:
        subject = SUBJECTS[name]
        steps = 8 if quick else 804 if name == "organism" else 64
        strategies = DYNAMIC if name == "organism" else DYNAMIC[:1]
        rows += [row(subject, device, strategy, steps) for strategy in strategies]
    return rows


class InTurn:
    """The strategy in two steps of four and `naive_joint` in the others: ours, theirs, theirs, ours."""

    tasks: tuple[Task, ...] = ("understanding", "generation")

    def __init__(self, name: str) -> None:
        self.strategy, self.plain = make_strategy(name), make_strategy("naive_joint")
        self.step = 0

    def ended(self, record: StepRecord) -> None:
        self.step = record.step + 1

    def diagnoses(self, step: int) -> bool:
        return step % 4 in (0, 3)

    @property
    def current(self) -> Strategy:
        return self.strategy if self.diagnoses(self.step) else self.plain

    @property
    def weighs_head(self) -> bool:
        return self.current.weighs_head

    def start(self) -> State:
        return self.strategy.start()

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        if self.diagnoses(seen.step):
            return self.strategy.weigh(state, seen)
        return state, self.plain.weigh(self.plain.start(), seen)[1]


def row(subject: Subject, device: str, name: str, steps: int) -> Row:
    """One run whose steps are ours and the baseline's in turn, on one pair a task: neighbours do the same work but for
    the diagnosis.
    """
    model = subject.build(device)
    pairs: dict[str, Any] = {
        "understanding": understanding_pairs(subject, 1),
        "generation": generation_pairs(model, subject, 1),
    }
    strategy = InTurn(name)
    recipe = replace(recipe_of(subject, steps), strategy=strategy)
    with diagnosed_by(strategy):
        done = align(model, **pairs, recipe=recipe, on_step=strategy.ended, progress=False)
    seconds = [step.seconds for step in done.steps]
    couples = [(seconds[i], seconds[i + 1], strategy.diagnoses(i)) for i in range(WARM, steps - 1, 2)]
    ours = [first if is_ours else second for first, second, is_ours in couples]
    theirs = [second if is_ours else first for first, second, is_ours in couples]
    made = Paired(ours, theirs)  # the ratio is what the diagnosis costs
    return Row(
        benchmark="diagnosis",
        subject=subject.name,
        what=f"{name} with every layer / naive_joint without",
        ratio=made.ratio,
        bound=made.bound("upper"),
        bar=BAR,
        better="lower",
        seconds_baseline=median(theirs),
        seconds_ours=median(ours),
        repeats=len(ours),
        details={"seconds_baseline": theirs, "seconds_ours": ours},
    )


@contextmanager
def diagnosed_by(strategy: InTurn) -> Iterator[None]:
    """Within this block the training loop computes a Gramian in the strategy's own steps alone."""
    kept = loop.gramians

    def in_turn(*given: Any) -> Any:
        return kept(*given) if strategy.diagnoses(strategy.step) else (None, ())

    loop.gramians = in_turn
    try:
        yield
    finally:
        loop.gramians = kept

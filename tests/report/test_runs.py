"""Curves and flags from step records."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from report_study import step

from bifrons.report.inputs import Cell
from bifrons.report.load import load
from bifrons.report.runs import MOST_POINTS, curve, falls_of, read_runs


def test_curve_averages_seeds_and_bins_steps() -> None:
    line = curve({number: [number - 1.0, number + 1.0] for number in range(1000)})
    assert len(line.raw) <= MOST_POINTS
    assert line.steps == pytest.approx(line.raw)
    assert line.smooth[100] == pytest.approx(line.raw[100])
    assert curve({7: [2.0]}).smooth == [2.0]


def test_a_fall_is_judged_on_the_last_tenth_of_each_task() -> None:
    cell = Cell(method="generation_only", seed=4, setting=(), key="k", status="done")
    source = random.Random(0)
    (fall,) = falls_of(cell, [step(number, "generation_only", source) for number in range(50)])
    assert (fall.task, fall.seed) == ("generation", 4)
    assert fall.log_ratio == pytest.approx(-0.4 * 47 / 60)
    assert falls_of(cell, []) == []


def test_runs_hold_one_value_a_seed(full: Path) -> None:
    runs = read_runs(load(full))
    assert runs.num_read == 20 and not runs.missing
    assert len(runs.values["naive_joint"]["cosine"][5]) == 3
    assert len(runs.values["pcgrad"]["cosine"][5]) == 2
    assert (
        "cosine" not in runs.values["understanding_only"] and "loss_generation" not in runs.values["understanding_only"]
    )
    assert len(runs.naive_total) == 180

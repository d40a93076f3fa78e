"""Curves and flags from step records."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from report_study import step, write_study

from bifrons.records import step_to_line
from bifrons.report import write_report
from bifrons.report.inputs import Cell
from bifrons.report.load import load
from bifrons.report.run_tables import spread_table
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


def test_estimates_are_told_with_their_error_and_nothing_is_said_of_exact_ones(full: Path, tmp_path: Path) -> None:
    """Of two methods one has estimates of drawings: one row, its means over the first and last tenth; else no trace."""
    inputs = load(full)
    assert spread_table(inputs.study, read_runs(inputs)) is None
    assert "estimates" not in (full / "report.html").read_text()
    folder = write_study(tmp_path / "dpo")
    source = random.Random(0)
    records = [step(number, "generation_only", source) for number in range(20)]
    lines: list[str] = []
    for record in records:
        assert record.generation is not None
        of_task = replace(record.generation, spread=1.0 + record.step, margin=2.0 * record.step)
        lines.append(f"{step_to_line(replace(record, generation=of_task))}\n")
    for seed in range(3):
        (folder / f"generation_only-{seed}" / "steps.jsonl").write_text("".join(lines))
    inputs = load(folder)
    found = spread_table(inputs.study, read_runs(inputs))
    assert found is not None
    (row,) = found.data
    assert (row["method"], row["task"]) == ("generation_only", "generation")
    assert (row["first_standard_error"], row["last_standard_error"], row["last_margin"]) == (1.5, 19.5, 37.0)
    page = write_report(folder).read_text()
    assert 'id="table-estimates"' in page and (folder / "tables" / "estimates.csv").is_file()

"""Rows of statistics from stored scores, without a model: every column against its oracle, absences with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bifrons.evaluation import METRICS
from bifrons.study import StudyConfig
from bifrons.study.cells import BASE, Cell
from bifrons.study.results import FAMILY, write_results
from bifrons.study.work import Outcome

RNG = np.random.default_rng(0)
NAMES = [f"item {i}" for i in range(40)]
NOTHING: dict[str, Any] = {"items": {}, "value": None, "reason": "nothing was asked"}


def outcome(cell: Cell, shift: float, *, constant: bool = False) -> Outcome:
    """Every metric of items is about 2 + shift; F1 has one value; nothing parses."""
    scores: dict[str, Any] = {}
    for metric in METRICS:
        values = np.ones(40) if constant else RNG.normal(2 + shift, 1.0, 40)
        scores[metric] = {"items": dict(zip(NAMES, values.tolist(), strict=True)), "value": None, "reason": ""}
    scores["pope_f1"] = {"items": {}, "value": 0.5 + shift / 10, "reason": ""}
    scores["pope_accuracy_parsed"] = NOTHING
    return Outcome(cell, "done", evaluation={"scores": scores})


def cell(method: str, seed: int, beta: float | None = None) -> Cell:
    setting = () if beta is None else (("training.beta", beta),)
    return Cell(method, seed, "separate", "m", setting)  # of a kind that leaves no record of training


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    found = [outcome(Cell(BASE, 0, "base", "m"), 0.0)]
    for seed in (0, 1, 2):
        found += [outcome(cell("naive_joint", seed), 0.1), outcome(cell("pcgrad", seed), 0.8)]
    found += [outcome(cell("pcgrad", 0, 0.5), 0.9), outcome(cell("gradient_weighted", 0), 0.0, constant=True)]
    return [*found, Outcome(cell("length_normalized", 0), "failed", "RuntimeError: no memory")]


@pytest.fixture(scope="module")
def results(outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("results")
    write_results("s", StudyConfig(model="m"), folder, outcomes)
    return json.loads((folder / "results.json").read_text(), parse_constant=pytest.fail)


def row(results: dict[str, Any], method: str, metric: str = "vqa_score", **setting: float) -> dict[str, Any]:
    (found,) = [r for r in results["rows"] if (r["method"], r["metric"], r["setting"]) == (method, metric, setting)]
    return found


def values(outcomes: list[Outcome], method: str, metric: str = "vqa_score") -> np.ndarray:
    """Scores of shape [seeds, items], of the study's own setting."""
    runs = [o for o in outcomes if o.cell.method == method and not o.cell.setting]
    return np.asarray([[o.evaluation["scores"][metric]["items"][name] for name in NAMES] for o in runs])


def test_seeds_are_pooled_for_welch_and_items_paired_beside_it(
    outcomes: list[Outcome], results: dict[str, Any]
) -> None:
    found, many, base = row(results, "pcgrad"), values(outcomes, "pcgrad"), values(outcomes, BASE)[0]
    welch = scipy_stats.ttest_ind(many.ravel(), base, equal_var=False)
    assert (found["welch_t"], found["p"]) == (pytest.approx(welch.statistic), pytest.approx(welch.pvalue))
    assert (found["n"], found["seeds"]) == (120, [0, 1, 2])
    assert found["standard_error"] == pytest.approx(scipy_stats.sem(many.ravel()))
    paired = scipy_stats.ttest_rel(many.mean(axis=0), base)
    assert (found["paired_t"], found["paired_p"]) == (pytest.approx(paired.statistic), pytest.approx(paired.pvalue))
    assert found["seed_std"] == pytest.approx(np.std((many - base).mean(axis=1), ddof=1))
    assert found["margin"] == pytest.approx(0.2 * np.std(base, ddof=1))
    low, high = found["bootstrap_ci95"]
    assert low < found["delta"] < high


def test_corrections_are_over_the_grid_and_the_metrics_of_the_paper(results: dict[str, Any]) -> None:
    """What is varied beside the grid is a family of its own; metrics outside the paper's are not corrected."""
    rows = [r for r in results["rows"] if r["bonferroni_p"] is not None and not r["setting"]]
    assert {r["metric"] for r in rows} == set(FAMILY)
    assert {r["num_comparisons"] for r in rows} == {len(rows)}
    for r in rows:
        assert r["bonferroni_p"] == pytest.approx(min(1.0, len(rows) * r["p"]))
        assert r["p"] <= r["holm_p"] <= r["bonferroni_p"]
    assert row(results, "pcgrad", beta=0.5)["num_comparisons"] == len(FAMILY)
    assert row(results, "pcgrad", "exact_scene")["bonferroni_p"] is None


def test_absent_statistics_have_a_reason(results: dict[str, Any]) -> None:
    """A failed cell, a metric without items, one value a seed, one seed only, constant scores: never a 0."""
    failed = row(results, "length_normalized")
    assert (failed["mean"], failed["reason"]) == (None, "RuntimeError: no memory")
    silent = row(results, "pcgrad", "pope_accuracy_parsed")
    assert (silent["mean"], silent["delta"], silent["reason"]) == (None, None, "nothing was asked")
    whole = row(results, "pcgrad", "pope_f1")
    assert (whole["n"], whole["p"]) == (3, None) and "one value a seed" in whole["reason"]
    assert row(results, "pcgrad", beta=0.5)["seed_std"] is None
    constant = row(results, "gradient_weighted")
    assert constant["std"] == 0.0 and constant["p"] is not None  # the base varies
    base = row(results, BASE)
    assert (base["delta"], base["p"], base["equivalence_p"]) == (None, None, None)


def test_constant_scores_on_both_sides_have_no_test(tmp_path: Path) -> None:
    found = [outcome(Cell(BASE, 0, "base", "m"), 0.0, constant=True), outcome(cell("pcgrad", 0), 0.0, constant=True)]
    write_results("s", StudyConfig(model="m"), tmp_path, found)
    same = row(json.loads((tmp_path / "results.json").read_text()), "pcgrad")
    assert (same["delta"], same["p"], same["paired_p"], same["equivalence_p"], same["margin"]) == (0.0, *[None] * 4)
    assert "zero variance" in same["reason"]


def test_scores_of_every_item_are_kept_beside_the_rows(outcomes: list[Outcome], tmp_path: Path) -> None:
    """`items.json` gives back what every cell scored, each list of ids stored once."""
    from bifrons.claims import Records

    write_results("s", StudyConfig(model="m"), tmp_path, outcomes)
    packed = json.loads((tmp_path / "items.json").read_text())
    assert len(packed["keys"]) == 1
    runs = Records(tmp_path, {"model": "m"}, {}, packed, {}).runs("m", "pcgrad", {}, "vqa_score")
    assert [run.seed for run in runs] == [0, 1, 2]
    assert [list(run.items.values()) for run in runs] == values(outcomes, "pcgrad").tolist()

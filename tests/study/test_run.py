"""A small study on the shipped organism: every cell, resumption after a kill, failures that stay alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from bifrons.report import write_report
from bifrons.study import read_study, run_study
from bifrons.study.estimate import estimate

SMALL = """
title = "Small"
seeds = [0]
[data]
understanding_questions = 40
generation_prompts = 16
[training]
steps = 6
learning_rate = 1e-3
rank = 4
alpha = 8
[evaluation]
items = 6
[diagnosis]
batches = 3
[gallery]
drawings = 2
answers = 2
"""
METHODS = {
    "base",
    "understanding_only",
    "generation_only",
    "naive_joint",
    "pcgrad",
    "gradient_weighted",
    "length_normalized",
    "fixed_weight",
    "rewarded_soup",
    "separate_lora",
}

ROW = {"model", "method", "metric", "setting", "round", "seeds", "mean", "std", "n", "reason"}
ROW |= {"ci95", "delta", "delta_ci95", "welch_t", "p", "cohens_d"}
ROW |= {"standard_error", "paired_t", "paired_p", "bootstrap_ci95", "seed_std", "equivalence_p", "smallest_effect"}
ROW |= {"bonferroni_p", "holm_p"}


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def finished(study_file: Path) -> Path:
    folder, outcomes = run_study(read_study(study_file), "small", study_file.parent / "runs", progress=False)
    assert [o.reason for o in outcomes if o.status != "done"] == []
    return folder


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.slow
def test_results_hold_every_method_and_metric(finished: Path) -> None:
    """Ten rows a metric; a row without data has a reason, never a 0; deltas are against the base."""
    found = results(finished)
    assert {row["method"] for row in found["rows"]} == METHODS
    for row in found["rows"]:
        assert set(row) >= ROW
        assert row["mean"] is not None or row["reason"], row
        if row["method"] == "base":
            assert row["delta"] is None
    base = {row["metric"]: row["mean"] for row in found["rows"] if row["method"] == "base"}
    for row in found["rows"]:
        if row["delta"] is not None:
            assert row["delta"] == pytest.approx(row["mean"] - base[row["metric"]], abs=1e-12)
    assert found["gradients"]["cosine"]["n"] == 3
    assert {entry["method"] for entry in found["training"]} == METHODS - {"base", "rewarded_soup", "separate_lora"}


@pytest.mark.slow
def test_separate_adapters_take_each_face_from_its_own_run(finished: Path) -> None:
    """Understanding rows equal those of understanding_only, generation rows those of generation_only."""
    rows = {(row["method"], row["metric"]): row for row in results(finished)["rows"]}
    for metric, source in (("vqa_score", "understanding_only"), ("exact_scene", "generation_only")):
        assert rows["separate_lora", metric]["mean"] == rows[source, metric]["mean"]
    assert rows["understanding_only", "clip_score_scenes"]["n"] == 6


@pytest.mark.slow
def test_fixed_weight_holds_the_median_of_the_dynamic_run(finished: Path) -> None:
    """The weights of every step are the medians of the second half of gradient_weighted with the same seed."""
    cells = json.loads((finished / "study.json").read_text())["cells"]
    keys = {cell["method"]: cell["key"] for cell in cells}
    dynamic, fixed = (
        [json.loads(line)["weights"] for line in (finished / keys[m] / "steps.jsonl").read_text().splitlines()]
        for m in ("gradient_weighted", "fixed_weight")
    )
    second = sorted(w["understanding"] for w in dynamic[3:])
    assert {w["understanding"] for w in fixed} == {second[1]}


@pytest.mark.slow
def test_a_finished_study_runs_again_without_training(
    finished: Path, study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run changes no result and calls neither training nor sampling."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished cell was run again")

    before = (finished / "results.json").read_bytes()
    monkeypatch.setattr("bifrons.study.work.align", refuse)
    monkeypatch.setattr("bifrons.study.evaluation.respond", refuse)
    _, outcomes = run_study(read_study(study_file), "small", finished.parent, progress=False)
    assert {o.status for o in outcomes} == {"done"}
    assert (finished / "results.json").read_bytes() == before
    page = write_report(finished).read_text()
    assert all(word in page for word in ("Rewarded soup", "Separate LoRA", "PCGrad"))


@pytest.mark.slow
def test_killed_and_run_again_equals_undisturbed(finished: Path, study_file: Path) -> None:
    """kill -9 at three moments, then run to the end: the results are those of the undisturbed run, byte for byte."""
    out = study_file.parent / "killed"
    command = [sys.executable, "-m", "bifrons", "study", str(study_file), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for wait_for in ("pairs/summary.json", "diagnosis.json", "*/checkpoint/state.safetensors"):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 120
        while not list((out / "small").glob(wait_for)) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (out / "small" / "results.json").exists(), "the run ended before it was killed"
    assert subprocess.run(command, capture_output=True, env=environment, check=False).returncode == 0
    assert results(out / "small") == results(finished)


@pytest.mark.slow
def test_a_failed_cell_stays_alone(
    study_file: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One method raises: it and what needs it carry a reason, the rest is done, and the report says so."""
    from bifrons.study import work

    real = work.align

    def failing(*arguments: Any, **settings: Any) -> Any:
        if settings["recipe"].strategy == "gradient_weighted":
            raise RuntimeError("the moon is <b>full</b>")
        return real(*arguments, **settings)

    monkeypatch.setattr(work, "align", failing)
    config = read_study(
        study_file, ("methods=['gradient_weighted', 'fixed_weight', 'naive_joint']", "diagnosis.batches=0")
    )
    folder, outcomes = run_study(config, "broken", tmp_path, progress=False)
    assert {o.cell.method: o.status for o in outcomes} == {
        "base": "done",
        "gradient_weighted": "failed",
        "naive_joint": "done",
        "fixed_weight": "missing",
    }
    rows = [row for row in results(folder)["rows"] if row["method"] == "gradient_weighted"]
    assert all(row["mean"] is None and "the moon is" in row["reason"] for row in rows)
    page = write_report(folder).read_text()
    assert "the moon is &lt;b&gt;full" in page and "<b>full" not in page


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(study_file: Path, tmp_path: Path) -> None:
    """Number for number, cells under other settings and the weights of another run included."""
    one = ("methods=['gradient_weighted', 'fixed_weight']", "diagnosis.batches=0", "evaluation.items=2")
    vary = "vary=[{methods = ['gradient_weighted'], set = {'training.beta' = [0.1, 0.3]}}]"
    config = read_study(study_file, (*one, vary))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone, outcomes = run_study(config, "alone", tmp_path, progress=False)
    finally:
        torch.set_num_threads(threads)
    assert [dict(o.cell.shown) for o in outcomes if o.cell.setting] == [{"beta": 0.3}]

    together, outcomes = run_study(config, "together", tmp_path, progress=False, jobs=2)
    assert {o.status for o in outcomes} == {"done"}
    assert results(together)["rows"] == results(alone)["rows"]


def test_two_processes_do_not_share_a_study(study_file: Path, tmp_path: Path) -> None:
    """While the lock is held a second run is refused by name."""
    from filelock import FileLock

    (tmp_path / "small").mkdir()
    with FileLock(tmp_path / "small" / ".lock"), pytest.raises(ValueError, match="another process"):
        run_study(read_study(study_file), "small", tmp_path, progress=False)


@pytest.mark.slow
def test_dry_run_lists_every_cell(study_file: Path) -> None:
    """All cells, a time for each, and a total in minutes and GiB."""
    text = estimate(read_study(study_file))
    assert text.startswith("10 cells")
    assert all(method in text for method in METHODS)
    assert "minutes" in text and "GiB" in text

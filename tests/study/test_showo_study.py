"""Studies of both kinds, and the diagnosis, on a Show-o: only its name is said, and how little is enough here."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bifrons.cli import main
from bifrons.models.pictures import to_image
from bifrons.records import read_json, read_steps, write_json
from bifrons.scorers.judge import ModelJudge

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_showo import write_checkpoint

STUDIES = Path(__file__).parents[2] / "studies"
FEW = ("data.understanding_questions=60", "data.generation_prompts=30", "training.steps=4", "evaluation.items=12")
HERMESFLOW = """
methods = ["pair_dpo"]
[hermesflow]
inputs = 12
rounds = 2
num_captions = 4
num_drawings = 3
min_best = 0.0
question = "describe the picture."
questions_per_input = 4
[[hermesflow.variants]]
methods = ["understanding_only", "generation_only", "pair_dpo_product", "pcgrad"]
rounds = 1
[training]
steps = 2
learning_rate = 3e-3
rank = 4
alpha = 8
[evaluation]
items = 4
[[claims]]
text = "A gap exists."
conditions = [{ of = "gap", rule = "above", method = "base", round = 0, against = "" }]
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_checkpoint(tmp_path_factory.mktemp("showo") / "three", world=True)
    write_json(folder / "generation_config.json", {"steps": 4, "guidance": 1.5})
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code


def keys_of(folder: Path) -> dict[str, str]:
    """Each method's run."""
    cells: Any = read_json(folder / "study.json")["cells"]
    return {cell["method"]: cell["key"] for cell in cells if cell["key"]}


@pytest.mark.slow
def test_every_method_and_the_diagnosis_run_on_it(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's study with the intervention; then with other masks in its folder: samples are kept, runs are not."""
    monkeypatch.chdir(tmp_path)
    changed = (f'model="{checkpoint}"', "diagnosis.batches=10", "diagnosis.intervention=true", *FEW)
    sets = [word for each in changed for word in ("--set", each)]
    run(monkeypatch, "study", STUDIES / "demo.toml", *sets)
    runs = tmp_path / "runs" / "demo"
    results: Any = read_json(runs / "results.json")
    methods = {row["method"] for row in results["rows"]}
    assert {"base", "naive_joint", "gradient_weighted", "fixed_weight", "rewarded_soup", "separate_lora"} <= methods
    steps = [read_steps(path) for path in runs.glob("*/steps.jsonl")]
    drawn = [step.generation for run in steps for step in run if step.generation is not None]
    assert drawn and all(task.spread is not None and task.spread > 0 for task in drawn)
    assert 'id="table-estimates"' in (runs / "report.html").read_text()
    fit: Any = read_json(runs / "intervention.json")["fit"]
    assert fit["num_batches"] == 10 and fit["generation"]["slope"]["value"] is not None
    built, before = (runs / "pairs" / "generation.parquet").read_bytes(), keys_of(runs)
    run(monkeypatch, "study", STUDIES / "demo.toml", *sets, "--set", "options.num_masks=2")
    assert (runs / "pairs" / "generation.parquet").read_bytes() == built
    after = keys_of(runs)
    assert after["base"] == before["base"] and after["naive_joint"] != before["naive_joint"]
    drawn = [step.generation for step in read_steps(runs / after["naive_joint"] / "steps.jsonl")]
    assert all(task is not None and task.spread is None for task in drawn), "one antithetic two has no spread"


@pytest.mark.slow
def test_hermesflow_plays_its_rounds_on_it(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Curation, Pair-DPO, a second round from its adapter, single-sided training, the product, a strategy; the gap."""
    monkeypatch.chdir(tmp_path)

    def reply(_: ModelJudge, images: Sequence[Any], questions: Sequence[Any], report: Any = None) -> list[str]:
        """By the picture's bytes: weights that were never trained say neither yes nor no."""
        sums = [
            zlib.crc32(np.asarray(to_image(image)).tobytes() + q.text.encode())
            for image, q in zip(images, questions, strict=True)
        ]
        return ["yes." if value % 2 else "no." for value in sums]

    monkeypatch.setattr(ModelJudge, "reply", reply)
    (tmp_path / "rounds.toml").write_text(f'model = "{checkpoint}"\n{HERMESFLOW}')
    run(monkeypatch, "study", "rounds.toml")
    runs = tmp_path / "runs" / "rounds"
    results: Any = read_json(runs / "results.json")
    gaps = {
        (row["method"], row["round"]) for row in results["rows"] if row["metric"] == "gap" and row["mean"] is not None
    }
    single = {(name, 1) for name in ("understanding_only", "generation_only", "pair_dpo_product", "pcgrad")}
    assert gaps == {("base", 0), ("pair_dpo", 1), ("pair_dpo", 2)} | single
    record: Any = read_json(runs / "hermesflow.json")
    assert all(row["kept"] > 0 for row in record["records"])
    unread = [row for row in results["rows"] if row["metric"] == "gap_verified"]
    assert unread and all(row["mean"] is None and "32 x 32" in row["reason"] for row in unread), "it draws 8 x 8"
    second = next(row for row in read_json(runs / "study.json")["cells"] if row["setting"].get("round") == 2)
    moved = read_steps(runs / second["key"] / "steps.jsonl")[0].generation
    assert moved is not None and moved.margin != 0, "round 2 goes on from round 1, and is held against the base"
    page = (runs / "report.html").read_text()
    assert 'id="table-estimates"' in page and "Pair-DPO" in page


@pytest.mark.slow
def test_the_command_line_aligns_and_diagnoses_it_under_its_options(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pairs, a run, a soup-free diagnosis with its intervention and page, an evaluation: each with options."""
    monkeypatch.chdir(tmp_path)
    of_model = ("--model", checkpoint)
    run(monkeypatch, "pairs", "build", "planted", *of_model, "--count", 8, "--out", "g.parquet")
    run(
        monkeypatch, "pairs", "build", "understanding", *of_model, "--count", 8, "--min-margin", 0, "--out", "u.parquet"
    )
    files = ("--understanding", "u.parquet", "--generation", "g.parquet")
    elbo = ("--option", "num_masks=6", "--option", "weighting=elbo")
    run(monkeypatch, "align", *of_model, *elbo, *files, "--steps", 2, "--rank", 2, "--out", "run")
    scoring: Any = read_json(tmp_path / "run" / "config.json")["scoring"]
    assert (scoring["num_masks"], scoring["weighting"]) == (6, "elbo")
    run(
        monkeypatch,
        "diagnose",
        *of_model,
        *elbo,
        *files,
        "--batches",
        4,
        "--intervention",
        3,
        "--rank",
        2,
        "--out",
        "d",
    )
    assert read_json(tmp_path / "d" / "config.json")["scoring"] == scoring
    assert "first places" in (tmp_path / "d" / "diagnosis.html").read_text()
    few = ("--option", "drawing_steps=2", "--items", 4, "--responses", "said")
    run(monkeypatch, "evaluate", *of_model, *few, "--metrics", "exact_scene")
    (store,) = (tmp_path / "said").glob("responses-*")
    assert read_json(store / "about.json")["sampling"]["drawing_steps"] == 2
    monkeypatch.setattr(sys, "argv", ["bifrons", "align", "--model", str(checkpoint), *files, "--out", "run"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2 and "run: holds another run" in capsys.readouterr().err

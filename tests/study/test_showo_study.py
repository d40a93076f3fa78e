"""The demo's study on a Show-o: nothing is said but the model's name and how little is enough here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bifrons.cli import main
from bifrons.records import read_json, read_steps, write_json

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_showo import write_checkpoint

DEMO = Path(__file__).parents[2] / "studies" / "demo.toml"
FEW = ("data.understanding_questions=60", "data.generation_prompts=30", "training.steps=4", "evaluation.items=12")


@pytest.mark.slow
def test_every_method_and_the_diagnosis_run_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / "three", world=True)
    write_json(folder / "generation_config.json", {"steps": 4, "guidance": 1.5})
    monkeypatch.chdir(tmp_path)
    sets = [word for each in (f'model="{folder}"', "diagnosis.batches=10", *FEW) for word in ("--set", each)]
    monkeypatch.setattr(sys, "argv", ["bifrons", "study", str(DEMO), *sets])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    runs = tmp_path / "runs" / "demo"
    results: Any = read_json(runs / "results.json")
    methods = {row["method"] for row in results["rows"]}
    assert {"base", "naive_joint", "gradient_weighted", "fixed_weight", "rewarded_soup", "separate_lora"} <= methods
    steps = [read_steps(path) for path in runs.glob("*/steps.jsonl")]
    drawn = [step.generation for run in steps for step in run if step.generation is not None]
    assert drawn and all(task.spread is not None and task.spread > 0 for task in drawn)
    assert (runs / "report.html").is_file()

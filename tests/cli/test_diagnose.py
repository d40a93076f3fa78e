"""`bifrons diagnose` on files: a stored run without torch, and one-line errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "diagnostics"))

from made import random_batches, steps_of

from bifrons.cli import main
from bifrons.records import GenerationPair, Provenance, step_to_line, write_json, write_pairs

WITHOUT_TORCH = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "peft"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
from bifrons.cli import main
main()
"""


def write_steps(folder: Path, gradients: bool = True) -> Path:
    folder.mkdir()
    totals = [batch.total if gradients else None for batch in random_batches(30, ratio=12.0)]
    (folder / "steps.jsonl").write_text("".join(f"{step_to_line(step)}\n" for step in steps_of(totals)))
    write_json(folder / "config.json", {"recipe": {"strategy": "naive_joint"}})
    return folder


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["bifrons", "diagnose", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def test_a_stored_run_is_replayed_without_torch(tmp_path: Path) -> None:
    """Dynamics, replay, page and exit code 0 where neither torch nor transformers can be imported."""
    run = write_steps(tmp_path / "run")
    arguments = ["diagnose", "--run", str(run), "--replay", "pcgrad, gradient_weighted"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert "cosine: stays near 0" in done.stdout and "not that strategy's result" in done.stdout
    replays = json.loads((run / "diagnosis" / "replay.json").read_text())["replays"]
    assert [each["strategy"] for each in replays] == ["naive_joint", "pcgrad", "gradient_weighted"]
    assert all(len(each["understanding"]) == 30 for each in replays)
    assert "Weights of each strategy along the recorded run" in (run / "diagnosis" / "diagnosis.html").read_text()


def test_every_mistake_is_one_line_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, single = write_steps(tmp_path / "run"), write_steps(tmp_path / "single", gradients=False)
    pairs = tmp_path / "g.parquet"
    codes = {"chosen_codes": (1,) * 64, "rejected_codes": (2,) * 64}
    write_pairs(pairs, [GenerationPair(id="a", prompt="a circle", provenance=Provenance(builder="test"), **codes)])
    calls: list[tuple[tuple[object, ...], str]] = [
        ((), "give --understanding and --generation"),
        (("--generation", pairs), "give --understanding and --generation"),
        (("--understanding", pairs, "--generation", pairs), "g.parquet: holds GenerationPairs"),
        (("--understanding", tmp_path / "no.parquet", "--generation", pairs), "no.parquet: no such file"),
        (("--replay", "pcgrad"), "--replay needs --run"),
        (("--run", run, "--dry-run"), "takes no pairs and no --dry-run"),
        (("--run", tmp_path), "holds no steps.jsonl"),
        (("--run", run, "--replay", "nobody"), "no strategy 'nobody'"),
        (("--run", single, "--replay", "pcgrad"), "trained one task"),
        (("--run", run, "--margin", 0), "margin of the cosine is 0"),
    ]
    for arguments, message in calls:
        code, _, errors = call(monkeypatch, capsys, *arguments)
        assert code == 2, (arguments, errors)
        assert message in errors and errors.count("\n") == 1, (arguments, errors)


def test_help_teaches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(monkeypatch, capsys, "--help")
    assert code == 0 and "which weights to use" in out and "--intervention" in out

"""`bifrons evaluate`: a table with intervals, JSON, chosen metrics and one of a user's own, responses kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bifrons.cli import main
from stand_in import StandIn

OWN = """
from bifrons.evaluation import Metric, Scores

def shouting(responses):
    "Share of answers with an exclamation mark."
    metric = Metric(name="shouting", label="[b]Loud", task="understanding", direction="lower", description="!")
    return metric, Scores(metric="shouting", items={row.id: float("!" in row.answer.text) for row in responses.answers})
"""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The model that the command loads."""
    model = StandIn(say=lambda question, temperature: "it is red!")
    monkeypatch.setattr("bifrons.models.load", lambda name, adapter=None, options=None: model)
    return model


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["bifrons", "evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def test_every_metric_with_its_interval_or_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, _ = run(monkeypatch, capsys, "--items", 6, "--out", tmp_path / "scores.json")
    shown = " ".join(shown.split())
    assert code == 0 and "VQA score" in shown and " to " in shown and "no question carries people's answers" in shown
    found = json.loads((tmp_path / "scores.json").read_text())
    exact = found["exact_scene"]
    assert exact["mean"] == 1.0 and exact["n"] == 6 and exact["direction"] == "higher" and len(exact["items"]) == 6
    for name, row in found.items():
        assert row["mean"] is not None or row["value"] is not None or row["reason"], name
        assert row["ci95"] is None or row["ci95"][0] <= row["mean"] <= row["ci95"][1]


def test_chosen_metrics_and_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only those; what a label holds is no markup."""
    (tmp_path / "cli_metrics.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    code, shown, _ = run(
        monkeypatch, capsys, "--items", 3, "--metrics", "fid_scenes, cli_metrics:shouting", "--out", "scores.json"
    )
    found = json.loads(Path("scores.json").read_text())
    assert code == 0 and set(found) == {"fid_scenes", "shouting"} and "[b]Loud" in shown
    assert found["shouting"]["mean"] == 1.0 and found["fid_scenes"]["value"] is not None


def test_kept_responses_are_not_sampled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stand_in: StandIn
) -> None:
    arguments = ("--items", 3, "--metrics", "vqa_score", "--responses", tmp_path / "kept")
    first = run(monkeypatch, capsys, *arguments)
    asked = len(stand_in.calls)
    assert asked and run(monkeypatch, capsys, *arguments) == first and len(stand_in.calls) == asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metrics", "vqa"), "no metric 'vqa'"),
        (("--metrics", "nowhere_at_all:f"), "nowhere_at_all"),
        (("--items", 0), "--items is 0"),
        (("--clip", "nobody"), "no CLIP 'nobody'"),
        (("--inception", "absent.safetensors"), "absent.safetensors: no such file"),
        (("--lpips", "absent.safetensors"), "absent.safetensors: no such file"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[object, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, errors = run(monkeypatch, capsys, *arguments)
    assert code == 2 and message in errors and errors.count("\n") == 1

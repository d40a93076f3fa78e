"""The verbs of HermesFlow: a mistake is one line with exit code 2, and nothing is overwritten."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bifrons.cli import main


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call."""
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def test_every_mistake_is_one_line_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "mine.toml"
    study.write_text("[hermesflow]\nround = 1\n")
    existing = tmp_path / "existing.parquet"
    existing.write_text("precious")
    pairs = tmp_path / "pairs.json"
    pairs.write_text('{"id": 1,')
    new = tmp_path / "new.parquet"
    calls: list[tuple[tuple[object, ...], str]] = [
        (("study", study), "mine.toml: unknown key 'hermesflow.round'"),
        (("hermesflow", "curate", "--out", existing), "existing.parquet: exists already"),
        (("hermesflow", "curate", "--out", new, "--previous", existing), "needs both --previous"),
        (("hermesflow", "curate", "--out", new, "--judge", "gpt"), "there is no judge 'gpt'"),
        (("hermesflow", "import", pairs, "--images", tmp_path, "--out", existing), "exists already"),
        (
            ("hermesflow", "import", pairs, "--images", tmp_path, "--out", tmp_path / "made"),
            "pairs.json, record 1: not JSON",
        ),
    ]
    for arguments, message in calls:
        code, _, said = run(monkeypatch, capsys, *arguments)
        assert code == 2 and message in said and said.count("\n") == 1, (arguments, said)
    assert existing.read_text() == "precious" and not new.exists()


def test_a_study_lists_its_rounds_without_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Path(__file__).parents[2] / "studies" / "hermesflow_demo.toml"
    code, said, _ = run(monkeypatch, capsys, "study", demo, "--dry-run", "--out", tmp_path / "runs")
    assert code == 0 and "pair_dpo seed 0: 2 rounds" in said and "generation_only seed 0: 1 rounds" in said
    assert not (tmp_path / "runs").exists()


def test_question_makers_are_measured_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = run(monkeypatch, capsys, "hermesflow", "questions", "--scenes", 3)
    assert code == 0 and "general: " in said and "1.000 of captions give one" in said


def test_an_import_names_what_it_does_not_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.json"
    pairs.write_text(json.dumps({"id": 7, "vqa_score_win": 0.5, "vqa_score_lose": 0.5}) + ",\n")
    code, said, _ = run(
        monkeypatch, capsys, "hermesflow", "import", pairs, "--images", tmp_path, "--out", tmp_path / "made"
    )
    assert code == 0 and "7: no img_path; no caption" in said and "0 records kept, 1 not trusted" in said
    assert not (tmp_path / "made").exists()

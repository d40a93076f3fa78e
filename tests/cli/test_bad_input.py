"""A user's mistake is one line that names the file, the key or the record, with exit code 2; nothing is overwritten."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bifrons.cli import main
from bifrons.records import GenerationPair, Provenance, write_pairs


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call."""
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def pairs_file(path: Path, codes: int = 64) -> Path:
    pair = GenerationPair(
        id="a",
        prompt="a red circle",
        chosen_codes=(1,) * codes,
        rejected_codes=(2,) * codes,
        provenance=Provenance(builder="test"),
    )
    write_pairs(path, [pair])
    return path


def test_every_mistake_is_one_line_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "mine.toml"
    study.write_text("[training]\nstepz = 1\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    good = pairs_file(tmp_path / "good.parquet")
    existing = tmp_path / "existing.parquet"
    existing.write_text("precious")
    calls: list[tuple[tuple[object, ...], str]] = [
        (("study", study), "unknown key 'training.stepz'"),
        (("study", tmp_path / "absent.toml"), "absent.toml: no such study file"),
        (("study", study, "--set", "training"), "key=value"),
        (("report", empty), str(empty)),
        (("align", "--generation", tmp_path / "absent.parquet"), "absent.parquet: no such file"),
        (("align", "--generation", good, "--out", tmp_path / "run"), "no understanding pairs"),
        (("align", "--generation", good, "--strategy", "nash"), "no strategy 'nash'"),
        (("align", "--generation", good, "--model", "nobody"), "no model 'nobody'"),
        (("align", "--generation", good, "--strategy", "generation_only", "--steps", 0), "steps is 0"),
        (("pairs", "build", "planted", "--out", existing), "exists already"),
        (("pairs", "check", existing), "not a Parquet file"),
        (("pairs", "show", tmp_path / "absent.parquet"), "no such file"),
        (("merge", empty, empty, "--out", tmp_path / "soup"), "holds no adapter"),
        (("merge", empty, empty, "--out", empty), "exists already"),
        (("sample",), "--prompt"),
        (
            ("sample", "--prompt", "a circle", "--option", "steps=4"),
            "organism: models of family 'janus' have no option",
        ),
        (("align", "--generation", good, "--option", "steps"), "--option steps: it has to be key=value"),
        (("evaluate", "--option", "a=1", "--option", "a=2"), "a is given twice"),
        (("sample", "--image", existing), "cannot be read as an image"),
        (("sample", "--prompt", "a circle", "--guidance", 0.5), "guidance is 0.5"),
        (("evaluate", "--adapter", empty), "holds no adapter"),
        (("organism", "train", "--only", "tail", "--out", tmp_path / "train"), "no stage 'tail'"),
    ]
    for arguments, message in calls:
        code, _, errors = run(monkeypatch, capsys, *arguments)
        assert code == 2, (arguments, errors)
        assert message in errors, (arguments, errors)
        assert errors.count("\n") == 1 and "Traceback" not in errors, (arguments, errors)
    assert existing.read_text() == "precious"


def test_a_pair_of_another_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drawings with another number of codes are refused by the pair's id."""
    file = pairs_file(tmp_path / "long.parquet", codes=576)
    arguments = ("align", "--generation", file, "--strategy", "generation_only", "--out", tmp_path / "run")
    code, _, errors = run(monkeypatch, capsys, *arguments)
    assert code == 2 and "generation pair 'a'" in errors


@pytest.mark.parametrize(
    "arguments", [("--help",), ("study", "--help"), ("pairs", "build", "--help"), ("align", "--help")]
)
def test_help_teaches(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help ends with code 0, names the verb and explains its options."""
    code, out, _ = run(monkeypatch, capsys, *arguments)
    assert code == 0
    assert "Usage" in out and ("Options" in out or "Commands" in out)

"""`bifrons export` and `bifrons models`: nothing is sent or overwritten unasked, and mistakes are one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bifrons.cli import main
from bifrons.records import write_json

Run = Any


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of one call."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Files that only have to be copied."""
    folder = tmp_path / "run" / "adapter"
    write_json(folder / "adapter_config.json", {"r": 4, "lora_alpha": 8, "base_model_name_or_path": "owner/model"})
    (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 16)
    return folder


def test_an_adapter_goes_out_and_nowhere_else(run: Run, adapter: Path, tmp_path: Path) -> None:
    code, out, errors = run("export", adapter, "--out", tmp_path / "out", "--adapter-only")
    assert code == 0 and errors == ""
    assert out == f"adapter: {(tmp_path / 'out').resolve()}\n"
    assert (tmp_path / "out" / "README.md").is_file()


def test_a_push_is_by_name(run: Run, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the repository named, private unless told otherwise."""
    sent: list[tuple[Any, ...]] = []

    class Api:
        def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> None:
            sent.append((repository, private))

        def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> str:
            sent.append((repo_id, folder_path.name))
            return "https://hub.example/owner/mine"

    import bifrons.export  # noqa: F401

    monkeypatch.setattr(sys.modules["bifrons.export.push"], "HfApi", Api)
    code, out, _ = run("export", adapter, "--out", tmp_path / "out", "--adapter-only", "--push", "owner/mine")
    assert code == 0 and "pushed: https://hub.example/owner/mine" in out
    assert sent == [("owner/mine", True), ("owner/mine", "out")]


def test_mistakes_are_one_line(run: Run, adapter: Path, tmp_path: Path) -> None:
    calls: list[tuple[tuple[object, ...], str]] = [
        ((tmp_path, "--out", tmp_path / "out"), "holds no adapter"),
        ((adapter, "--out", tmp_path), "exists already"),
        ((adapter, "--out", tmp_path / "out", "--dtype", "int8"), "--dtype is 'int8'"),
        ((adapter, "--out", tmp_path / "out", "--push", "mine"), "--push mine: is no name on the hub"),
        ((adapter, "--out", tmp_path / "out", "--public"), "--public is about the repository of --push"),
        ((adapter, "--out", tmp_path / "out", "--base", tmp_path), "holds no config.json"),
    ]
    for arguments, message in calls:
        code, _, errors = run("export", *arguments)
        assert code == 2 and message in errors and errors.count("\n") == 1, errors
        assert not (tmp_path / "out").exists()
    code, _, errors = run("models", "--rank", 0)
    assert code == 2 and "--rank is 0" in errors


def test_models_are_listed(run: Run) -> None:
    code, out, _ = run("models")
    assert code == 0
    for name in ("organism", "deepseek-community/Janus-Pro-1B", "deepseek-community/Janus-Pro-7B"):
        assert name in out


def test_shapes_say_what_they_are(run: Run) -> None:
    """Parameters to the last one, and that memory and times are estimates."""
    code, out, _ = run("models", "--shapes")
    assert code == 0
    for part in (
        "2,076,636,811 parameters",
        "show-o-512",
        "MAGVIT-v2 of 8,192 codes",
        "7,407,773,323 parameters",
        "estimates from shapes",
        "lower bounds",
        "GiB",
    ):
        assert part in out

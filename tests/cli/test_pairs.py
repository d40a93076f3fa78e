"""`bifrons pairs` from a folder of photographs to pairs, and out again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bifrons.cli import main
from bifrons.models.janus.model import JanusModel
from bifrons.records import GenerationPair, UnderstandingPair, read_pairs
from photographs import write_coco


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("photographs") / "coco", 20)


def bifrons(monkeypatch: pytest.MonkeyPatch, *typed: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, typed)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0


def arguments(coco: Path, kind: str, out: Path) -> tuple[object, ...]:
    files = ("--captions", coco / "captions.json", "--images", coco / "images", "--instances", coco / "instances.json")
    sizes = ("--count", 6, "--batch-size", 1, "--min-margin", 0.01)
    return ("pairs", "build", kind, "--source", "coco", *files, *sizes, "--out", out)


def test_real_photographs_win_against_drawings(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed half-way, the build goes on; the file is that of a build that nobody disturbed, and the samples are gone.
    The chosen codes are those of the photograph's middle square.
    """
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    bifrons(monkeypatch, *arguments(coco, "model_against_model", whole))
    real, drawn = JanusModel.draw, 0

    def dying(self: JanusModel, *given: Any, **named: Any) -> Any:
        nonlocal drawn
        drawn += 1
        if drawn == 3:
            raise KeyboardInterrupt
        return real(self, *given, **named)

    monkeypatch.setattr(JanusModel, "draw", dying)
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments(coco, "model_against_model", killed))])
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        main()
    assert not killed.exists() and Path(f"{killed}.samples.jsonl").exists()
    bifrons(monkeypatch, *arguments(coco, "model_against_model", killed))
    assert drawn == 3 + 2, "two chunks were kept, two were left to draw"
    assert read_pairs(killed) == read_pairs(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.parquet", "whole.parquet"]
    assert "pairs kept" in capsys.readouterr().out


def test_answers_about_photographs_go_out_and_come_in(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Build, check against the evaluation side, show as a page, export, import: the same questions and answers."""
    built, page, table, back = (tmp_path / name for name in ("u.parquet", "u.html", "u.jsonl", "back.parquet"))
    bifrons(monkeypatch, *arguments(coco, "understanding", built))
    source = ("--source", "coco", "--captions", coco / "captions.json", "--images", coco / "images", "--items", 6)
    bifrons(monkeypatch, "pairs", "check", built, *source)
    bifrons(monkeypatch, "pairs", "show", built, "--html", page)
    bifrons(monkeypatch, "pairs", "export", built, "--out", table)
    bifrons(monkeypatch, "pairs", "import", table, "--out", back)
    printed = capsys.readouterr().out
    assert "no overlap with 6 evaluation examples of coco" in printed
    first, second = read_pairs(built), read_pairs(back)
    assert [(p.id, p.image, p.question, p.chosen, p.rejected) for p in first if isinstance(p, UnderstandingPair)] == [
        (p.id, p.image, p.question, p.chosen, p.rejected) for p in second if isinstance(p, UnderstandingPair)
    ]
    assert page.read_text().count("data:image/png;base64,") == min(5, len(first))


def test_pictures_that_somebody_ranked_become_pairs(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = coco / "ranked.jsonl"
    names = [f"images/{i:012}.jpg" for i in (1, 2)]
    table.write_text(f'{{"prompt": "a dog", "chosen": "{names[0]}", "rejected": "{names[1]}"}}\n')
    bifrons(monkeypatch, "pairs", "import", table, "--face", "generation", "--out", tmp_path / "g.parquet")
    (pair,) = read_pairs(tmp_path / "g.parquet")
    assert isinstance(pair, GenerationPair) and pair.prompt == "a dog" and pair.kind == "pictured"

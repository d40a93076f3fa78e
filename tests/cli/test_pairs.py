"""`bifrons pairs` from a folder of photographs to pairs, and out again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bifrons.cli import main
from bifrons.records import GenerationPair, UnderstandingPair, read_pairs
from bifrons.records.pictures import centre_square, to_image
from photographs import write_coco
from stand_in import ByBrightness, Painter


class Dying(Painter):
    """Stopped by hand in its third call."""

    def draw(self, *given: Any, **named: Any) -> Any:
        if len(self.calls) == 2:
            raise KeyboardInterrupt
        return super().draw(*given, **named)


def painter(kind: type[Painter] = Painter) -> Painter:
    return kind(say=lambda question, _: "a dog and a car." if "detail" in question else "nothing at all.")


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("photographs") / "coco", 20)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[Painter]:
    """The models that the next calls load, in turn; the last one again and again."""
    waiting = [painter()]

    def load(name: str, **_: Any) -> Painter:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    monkeypatch.setattr("bifrons.models.load", load)
    monkeypatch.setattr("bifrons.scorers.clip.load_clip", lambda name: ByBrightness())
    return waiting


def bifrons(monkeypatch: pytest.MonkeyPatch, *typed: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, typed)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0


def arguments(coco: Path, kind: str, out: Path) -> tuple[object, ...]:
    files = ("--captions", coco / "captions.json", "--images", coco / "images", "--instances", coco / "instances.json")
    sizes = ("--count", 6, "--batch-size", 1, "--min-margin", 0.01)
    return ("pairs", "build", kind, "--source", "coco", *files, *sizes, "--out", out)


def test_a_build_that_was_killed_goes_on(
    coco: Path,
    models: list[Painter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The file is that of a build that nobody disturbed; its samples are gone; two chunks of four were drawn once."""
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    last = painter()
    models[:] = [painter(), painter(Dying), last]
    bifrons(monkeypatch, *arguments(coco, "model_against_model", whole))
    monkeypatch.setattr(sys, "argv", ["bifrons", *map(str, arguments(coco, "model_against_model", killed))])
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        main()
    assert not killed.exists() and Path(f"{killed}.samples.jsonl").exists()
    bifrons(monkeypatch, *arguments(coco, "model_against_model", killed))
    assert len(last.calls) == 2
    assert read_pairs(killed) == read_pairs(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.parquet", "whole.parquet"]
    assert "pairs kept" in capsys.readouterr().out


def test_the_photograph_is_chosen_where_it_scores_higher(
    coco: Path, models: list[Painter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen codes are those of the photograph's middle square, and it is brighter than the drawing."""
    out = tmp_path / "real.parquet"
    bifrons(monkeypatch, *arguments(coco, "real_against_generated", out))
    for pair in read_pairs(out):
        assert isinstance(pair, GenerationPair)
        number = int(str(pair.provenance.details["example"]).removeprefix("coco-"))
        photo = to_image(coco / "images" / f"{number:012}.jpg")
        assert [pair.chosen_codes] == models[0].encode([centre_square(photo)])
        assert sum(pair.chosen_codes) > sum(pair.rejected_codes)


def test_answers_about_photographs_go_out_and_come_in(
    coco: Path,
    models: list[Painter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
    coco: Path, models: list[Painter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = coco / "ranked.jsonl"
    names = [f"images/{i:012}.jpg" for i in (1, 2)]
    table.write_text(f'{{"prompt": "a dog", "chosen": "{names[0]}", "rejected": "{names[1]}"}}\n')
    bifrons(monkeypatch, "pairs", "import", table, "--face", "generation", "--out", tmp_path / "g.parquet")
    (pair,) = read_pairs(tmp_path / "g.parquet")
    assert isinstance(pair, GenerationPair) and pair.prompt == "a dog" and pair.kind == "pictured"

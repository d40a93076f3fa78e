"""A study's data from photographs: built once, the same wherever the files lie, and evaluated apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bifrons.study import StudyConfig
from bifrons.study import data as study_data
from photographs import captions_of, write_coco
from stand_in import ByBrightness, Painter


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("photographs") / "coco", 24)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Painter:
    monkeypatch.setattr("bifrons.scorers.clip.load_clip", lambda name: ByBrightness())
    return Painter(say=lambda question, _: "a dog and a car." if "detail" in question else "nothing at all.")


def config(coco: Path, **changes: object) -> StudyConfig:
    data = {
        "source": "coco",
        "captions": coco / "captions.json",
        "instances": coco / "instances.json",
        "images": coco / "images",
        "understanding_questions": 20,
        "generation_prompts": 4,
        "min_margin_understanding": 0.01,
    }
    return StudyConfig.model_validate({"data": data | changes, "evaluation": {"items": 6}})


def test_photographs_are_built_once_and_evaluated_apart(coco: Path, model: Painter, tmp_path: Path) -> None:
    """Both tasks from the photographs of one side, six of the other. Elsewhere on disk nothing is built again; other
    captions are another data set.
    """
    lines: list[str] = []
    built = study_data.load_data(config(coco), model, tmp_path / "pairs", lines.append)  # type: ignore[arg-type]
    assert lines == ["building understanding pairs", "building generation pairs"]
    assert {e.source for e in built.evaluation} == {"coco"} and len(built.evaluation) == 6
    assert built.understanding and built.generation
    known = {p.provenance.details["example"] for p in (*built.understanding, *built.generation)}
    assert known and not known & {e.id for e in built.evaluation}
    moved = tmp_path / "moved"
    shutil.copytree(coco, moved)
    again = study_data.load_data(config(moved), model, tmp_path / "pairs", lines.append)  # type: ignore[arg-type]
    assert again == built and len(lines) == 2
    said = captions_of(24)
    said["annotations"][0]["caption"] = "Something else."
    (moved / "captions.json").write_text(json.dumps(said))
    study_data.load_data(config(moved), model, tmp_path / "pairs", lines.append)  # type: ignore[arg-type]
    assert len(lines) == 4

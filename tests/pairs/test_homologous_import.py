"""HermesFlow's own pair file with every defect that its code leaves in it, and JourneyDB's and TIFA's layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bifrons.pairs.homologous import inputs_of
from bifrons.pairs.homologous_import import import_hermesflow
from bifrons.scenes import draw_scene, render
from bifrons.sources.journeydb import journeydb_examples, tifa_questions
from bifrons.sources.loose_json import loose_rows
from stand_in import StandIn


def row(number: int, **changes: Any) -> dict[str, Any]:
    made = {
        "id": number,
        "img_path": f"input/{number}.png",
        "prompt": "a prompt",
        "caption": f"caption {number}",
        "caption_win": f"good {number}",
        "caption_lose": f"bad {number}",
        "bert_score_win": 0.95,
        "bert_score_lose": 0.9,
        "image_win": f"generated/{number}/3.png",
        "image_lose": f"generated/{number}/0.png",
        "vqa_score_win": 0.8,
        "vqa_score_lose": 0.4,
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An input and two drawings of each of 20 records, all different."""
    rng = np.random.default_rng(0)
    for number in range(20):
        for name in (f"input/{number}.png", f"generated/{number}/0.png", f"generated/{number}/3.png"):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(render(draw_scene(rng))).save(path)
    return tmp_path / "images"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As the public code writes: each object followed by a comma, no brackets."""
    path.write_text("".join(json.dumps(one, indent=4) + ",\n" for one in rows))
    return path


DEFECTS: list[tuple[dict[str, Any], str]] = [
    ({"vqa_score_win": 0.6}, "indices of the record before"),
    ({"vqa_score_win": 0.8, "vqa_score_lose": 0.8}, "indices of the record before"),
    ({"image_win": "generated/0/3.png"}, "image_win lies in the folder of 0"),
    ({"image_lose": "generated/1/9.png"}, "image_lose is missing"),
    ({"img_path": "input/none.png"}, "img_path is missing"),
    ({"image_lose": "generated/1/3.png"}, "both drawings are the same file"),
    ({"caption_lose": "good 1"}, "both captions are the same"),
    ({"bert_score_lose": 0.95}, "the winning caption does not score above"),
    ({"caption": None}, "no caption"),
    ({"vqa_score_lose": None}, "vqa_score_lose is no number"),
    ({"img_path": "../secret.png"}, "img_path lies outside the image folder"),
]


@pytest.mark.parametrize(("changes", "reason"), DEFECTS)
def test_a_record_that_cannot_be_trusted_is_named(
    tmp_path: Path, images: Path, changes: dict[str, Any], reason: str
) -> None:
    path = written(tmp_path / "pairs.json", [row(0), row(1, **changes), row(2)])
    found = import_hermesflow(path, images, StandIn())  # type: ignore[arg-type]
    assert [pair.id for pair in found.understanding] == [pair.id for pair in found.generation] == ["0", "2"]
    assert list(found.distrusted) == ["1"] and reason in "; ".join(found.distrusted["1"])


def test_blank_pictures_missing_ids_and_twins(tmp_path: Path, images: Path) -> None:
    """A blank image, a record without id, two of one id: none is trained on, all are named."""
    Image.new("RGB", (32, 32), "white").save(images / "input/3.png")
    rows = [row(3), row(4, id=None), row(5), row(5, caption_win="better"), row(6)]
    found = import_hermesflow(written(tmp_path / "pairs.json", rows), images, StandIn())  # type: ignore[arg-type]
    assert [pair.id for pair in found.generation] == ["6"]
    assert "img_path is blank" in found.distrusted["3"]
    assert "no id" in found.distrusted["record 2"]
    assert "the id occurs 2 times" in found.distrusted["5"]


def test_pairs_of_a_record_belong_together(tmp_path: Path, images: Path) -> None:
    found = import_hermesflow(written(tmp_path / "pairs.json", [row(7), row(8)]), images, StandIn())  # type: ignore[arg-type]
    for read, drawn in zip(found.understanding, found.generation, strict=True):
        assert read.image == (images / f"input/{read.id}.png").read_bytes()
        assert drawn.prompt == f"caption {drawn.id}" and read.chosen == f"good {read.id}"
        assert drawn.provenance.details == {"codes": "encoded from pictures"}


@pytest.mark.parametrize(
    "text", ['{"a": 1},\n{"a": 2},\n', '[{"a": 1}, {"a": 2},]', '[{"a": 1}, {"a": 2}]', '{"a": 1}\n{"a": 2}']
)
def test_trailing_commas_are_tolerated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    assert loose_rows(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no records"), ('{"a": 1}, {"a":', "record 2: not JSON"), ("[1]", "record 1: is of type int")],
)
def test_what_is_no_list_of_objects_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"rows.json.*{message}"):
        loose_rows(path)


def test_journeydb_as_released(tmp_path: Path, images: Path) -> None:
    """JSON lines; the answer's letter becomes words; a missing image stays, empty, so that curation counts it."""
    content = [{"Question": "What is it?", "Options": ["A: a dog", "B: a cat"], "Answer": "B"}]
    style = [{"Question": "Which style?", "Options": {"A": "oil", "B": "photo"}, "Answer": "A: oil"}]
    lines = [
        {
            "img_path": "./input/1.png",
            "prompt": "p",
            "Task2": {"Caption": "a cat"},
            "Task3": {"Content": content, "Style": style},
        },
        {"img_path": "./input/none.png", "prompt": "p", "Task2": {"Caption": "a dog"}},
        {"img_path": "./input/2.png", "prompt": "p"},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    first, second = journeydb_examples(path, images)
    assert first.captions == ("a cat",) and first.image == (images / "input/1.png").read_bytes()
    assert [(q.kind, q.answer, q.choices) for q in first.questions] == [
        ("content", "a cat", ("a dog", "a cat")),
        ("style", "oil", ("oil", "photo")),
    ]
    assert second.image == b"" and not second.questions
    given = inputs_of([first])[0]
    assert given.questions[0].choices == ("a dog", "a cat") and given.questions[0].chance == 0.5


def test_hermesflows_inputs_with_tifa_questions(tmp_path: Path, images: Path) -> None:
    """Questions meet their inputs by id, whatever their order."""
    inputs = written(
        tmp_path / "initial.json",
        [{"id": i, "img_path": f"input/{i}.png", "prompt": "p", "caption": f"c {i}"} for i in (1, 2)],
    )
    asked = [
        {"id": i, "question": f"of {i}?", "choices": ["yes", "no"], "answer": "yes", "element_type": "object"}
        for i in (2, 1, 2)
    ]
    questions = written(tmp_path / "vqa.json", asked)
    found = {e.id: [q.text for q in e.questions] for e in journeydb_examples(inputs, images, questions=questions)}
    assert found == {"1": ["of 1?"], "2": ["of 2?", "of 2?"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "maybe"}, "'maybe' is none of the choices"),
        ({"question": ""}, "has no 'question'"),
        ({"id": None}, "has no 'id'"),
    ],
)
def test_a_bad_question_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good = {"id": 1, "question": "of 1?", "choices": ["yes", "no"], "answer": "yes"}
    path = written(tmp_path / "vqa.json", [good, good | change])
    with pytest.raises(ValueError, match=f"vqa.json, record 2.*{message}"):
        tifa_questions(path)

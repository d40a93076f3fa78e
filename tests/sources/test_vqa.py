"""VQAv2: the official normalisation on known cases, soft accuracy against its definition, and real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrons.sources import normalise_answer, soft_accuracy, vqa_examples
from photographs import photograph

REAL = ["net", "net", "net", "netting", "net", "net", "mesh", "net", "pitcher", "orange"]


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Yes", "yes"),
        ("  the  Dog\n", "dog"),
        ("a man and an apple", "man and apple"),
        ("two", "2"),
        ("Ten dogs", "10 dogs"),
        ("eleven", "eleven"),
        ("none", "0"),
        ("1,000", "1000"),
        ("2.5", "2.5"),
        ("no.", "no"),
        ("St. Louis", "st louis"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("red, white", "red white"),
        ("t-shirt", "t shirt"),
        ("10:30", "10:30"),
        ("dont know", "don't know"),
        ("couldntve", "couldn't've"),
        ("it's", "it's"),
        ("thats", "that's"),
        ("oclock", "o'clock"),
        ('"stop"', "stop"),
        ("(left)", "left"),
        ("what?!", "what"),
    ],
)
def test_known_cases(answer: str, normal: str) -> None:
    assert normalise_answer(answer) == normal


def obvious(answer: str, given: list[str]) -> float:
    """The definition, word for word: leave each person out, count the others who agree."""
    shares = []
    for i in range(len(given)):
        others = given[:i] + given[i + 1 :]
        agree = sum(normalise_answer(other) == normalise_answer(answer) for other in others)
        shares.append(min(agree / 3, 1.0))
    return sum(shares) / len(shares)


@given(st.lists(st.sampled_from(["net", "mesh", "a net", "2", "two"]), min_size=1, max_size=12))
def test_soft_accuracy_is_its_definition(given_answers: list[str]) -> None:
    for answer in ("net", "Mesh.", "two"):
        assert soft_accuracy(answer, given_answers) == pytest.approx(obvious(answer, given_answers), abs=1e-12)


@pytest.mark.parametrize(("answer", "score"), [("net", 1.0), ("mesh", 0.3), ("a pitcher", 0.3), ("glass", 0.0)])
def test_soft_accuracy_of_a_published_question(answer: str, score: float) -> None:
    """One of ten who agrees gives 9/10 of 1/3."""
    assert soft_accuracy(answer, REAL) == pytest.approx(score)


def test_two_and_three_who_agree() -> None:
    """The official table: two of ten 0.6, three of ten 0.9, four 1."""
    for count, score in ((2, 0.6), (3, 0.9), (4, 1.0)):
        assert soft_accuracy("cat", ["cat"] * count + ["dog"] * (10 - count)) == pytest.approx(score)
    with pytest.raises(ValueError, match="no person's answers"):
        soft_accuracy("cat", [])


def test_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    """Three questions about one image with ten answers each; the image under the name that the subset gives it."""
    (tmp_path / "COCO_train2014_000000458752.jpg").write_bytes(photograph(0))
    folder = real_data / "vqav2"
    (example,) = vqa_examples(folder / "questions.json", folder / "annotations.json", tmp_path)
    assert example.image == photograph(0) and len(example.questions) == 3
    assert example.questions[0].text == "What is this photo taken looking through?"
    assert list(example.questions[0].answers) == REAL
    assert all(len(q.answers) == 10 for q in example.questions)


def test_a_question_without_answers_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(
        json.dumps({"questions": [{"image_id": 1, "question_id": 5, "question": "What?"}]})
    )
    (tmp_path / "a.json").write_text(json.dumps({"annotations": [{"question_id": 6, "answers": ["yes"]}]}))
    with pytest.raises(ValueError, match=r"q.json, question record 1: .*a.json holds no answers to question 5"):
        vqa_examples(tmp_path / "q.json", tmp_path / "a.json", tmp_path)

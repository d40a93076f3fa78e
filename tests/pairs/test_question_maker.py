"""The rule-based question makers: exact on scenes in all wordings, and what they find in photographs' captions."""

from __future__ import annotations

import pytest

from bifrons.pairs.caption_parts import caption_parts
from bifrons.pairs.question_maker import QUESTION_MAKERS, general_questions, maker_accuracy


@pytest.mark.parametrize("name", QUESTION_MAKERS)
def test_every_question_about_a_scene_has_the_true_answer(name: str) -> None:
    """Against the exact verifier, captions in five wordings and prompts of six kinds."""
    found = maker_accuracy(QUESTION_MAKERS[name], num_scenes=12)
    assert found.right == found.made > 200
    assert found.covered == 1.0


def test_kinds_of_questions() -> None:
    asked = {q.text: (q.kind, q.answer) for q in general_questions("Two women next to a red car left of a big dog.")}
    assert asked["Is there a woman in the picture?"] == ("object", "yes")
    assert asked["Are there exactly two women in the picture?"] == ("count", "yes")
    assert asked["Are there exactly three women in the picture?"] == ("count", "no")
    assert asked["Is the car red?"] == ("attribute", "yes")
    assert asked["Is the woman next to the car?"] == ("relation", "yes")
    assert asked["Is the car left of the dog?"] == ("relation", "yes")
    assert asked["Is the car right of the dog?"] == ("relation", "no")
    noes = [text for text, (_, answer) in asked.items() if answer == "no"]
    assert len(noes) >= 4, "a judge that always says yes must not be right about everything"


@pytest.mark.parametrize(
    ("caption", "nouns"),
    [
        ("A black Honda motorcycle parked in front of a garage.", ["motorcycle", "garage"]),
        ("Two women waiting at a bench next to a street.", ["woman", "bench", "street"]),
        ("A cat in between two cars in a parking lot.", ["cat", "car"]),
        ("nothing here", []),
        ("", []),
    ],
)
def test_nouns_of_photographs_captions(caption: str, nouns: list[str]) -> None:
    assert [mention.noun for mention in caption_parts(caption).mentions] == nouns


def test_no_question_from_nothing() -> None:
    assert all(maker("and so on.") == () for maker in QUESTION_MAKERS.values())

"""Answers to closed questions, right, wrong and unreadable."""

from __future__ import annotations

import pytest

from bifrons.scorers.choice import picks
from bifrons.sources import Question

SIDES = Question("spatial", "Is the dog to the left or to the right of the car?", "left", ("left", "right"))
COUNT = Question("counting", "How many dogs are there?", "2", tuple(map(str, range(11))))
ANIMAL = Question("identification", "What is the largest object?", "teddy bear", ("bear", "teddy bear", "person"))


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        (SIDES, "The dog is to the left of the car.", True),
        (SIDES, "It is on the right.", False),
        (SIDES, "Left or right, who knows.", False),
        (SIDES, "In the middle. Left, maybe.", None),
        (SIDES, "", None),
        (COUNT, "There are two dogs in the image.", True),
        (COUNT, "2", True),
        (COUNT, "I see 12 dogs", None),
        (COUNT, "three", False),
        (ANIMAL, "A teddy bear", True),
        (ANIMAL, "Two teddy bears!", True),
        (ANIMAL, "A bear", False),
        (ANIMAL, "People", None),
        (ANIMAL, "Persons holding a teddy bear", False),
    ],
)
def test_an_answer_picks_one_choice(question: Question, answer: str, right: bool | None) -> None:
    assert picks(question, answer) is right

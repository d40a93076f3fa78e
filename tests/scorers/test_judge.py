"""Reading a judge's words, verdicts, chance and lean, and the exact verifier as a judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bifrons.records import JudgeQuestion
from bifrons.scenes import Object, Scene
from bifrons.scorers.judge import ModelJudge, judge_images, leaning, right
from bifrons.scorers.verifier import SceneVerifier, say
from bifrons.sources import scene_examples
from stand_in import StandIn

YES = JudgeQuestion(kind="object", text="Is there a dog?", answer="yes")
NO = JudgeQuestion(kind="object", text="Is there a cat?", answer="no.")
CHOICE = JudgeQuestion(kind="animal", text="What is it?", answer="dog", choices=("dog", "hot dog", "cat"))
OPEN = JudgeQuestion(kind="other", text="What is on it?", answer="a red hat")
COUNT = JudgeQuestion(kind="count", text="How many?", answer="3")
WORLD = JudgeQuestion(kind="identification", text="what is at the top left?", answer="it is a big red circle.")


@pytest.mark.parametrize(
    ("question", "reply", "expected"),
    [
        (YES, "Yes, there is.", True),
        (YES, "no.", False),
        (YES, "perhaps", None),
        (YES, "", None),
        (NO, "No", True),
        (CHOICE, "It is a dog.", True),
        (CHOICE, "a hot dog", False),  # the longer choice holds the shorter
        (CHOICE, "a dog or a cat", None),
        (CHOICE, "a horse", None),
        (OPEN, "there is a hat that is red", True),
        (OPEN, "a hat", False),
        (OPEN, "", None),
        (COUNT, "there are three dogs", True),
        (COUNT, "4", False),
        (COUNT, "many", None),
        (WORLD, "it is a big red circle.", True),
        (WORLD, "it is a small red circle.", False),
        (WORLD, "it is.", None),
    ],
)
def test_replies_are_read_by_the_question_form(question: JudgeQuestion, reply: str, expected: bool | None) -> None:
    assert right(question, reply) is expected


class Says:
    name = "says"

    def __init__(self, *replies: str) -> None:
        self.replies = replies

    def reply(self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Any = None) -> list[str]:
        return list(self.replies)


def test_an_unread_reply_is_wrong_but_silence_is_no_score() -> None:
    """Of two images one gets one half, the other, of whose replies none can be read, no score at all."""
    verdicts = judge_images(Says("yes", "?", "?", "..."), ["a", "b"], [[YES, NO], [YES, NO]])
    assert [verdict.accuracy for verdict in verdicts] == [0.5, None]
    assert verdicts[0].each == (True, None)


def test_chance_and_lean_are_reported() -> None:
    """A judge that always says yes is right about every yes: accuracy at chance, lean one half."""
    asked = [[YES, NO], [YES, NO], [CHOICE]]
    found = leaning(asked, judge_images(Says("yes", "yes", "yes", "yes", "?"), ["a", "b", "c"], asked))
    assert (found.said_yes, found.expected_yes, found.yes_bias) == (1.0, 0.5, 0.5)
    assert found.accuracy == pytest.approx(2 / 5) and found.unread == pytest.approx(1 / 5)
    assert found.chance == pytest.approx((4 * 0.5 + 1 / 3) / 5)
    nothing = leaning([[OPEN]], judge_images(Says("a hat"), ["a"], [[OPEN]]))
    assert nothing.chance is None and nothing.said_yes is None and nothing.yes_bias is None


def test_an_image_without_questions_is_refused() -> None:
    with pytest.raises(ValueError, match="no questions about image 1"):
        judge_images(Says("yes"), ["a", "b"], [[YES], []])
    with pytest.raises(ValueError, match="1 images for 2 lists"):
        judge_images(Says("yes"), ["a"], [[YES], [YES]])


def test_a_model_judges_greedily_with_choices_and_wording() -> None:
    model = StandIn(say=lambda question, temperature: f"{temperature} {question}")
    said = ModelJudge(model, "it", wording="answer shortly.").reply(["a", "b"], [CHOICE, YES])  # type: ignore[arg-type]
    assert said == [
        "0.0 What is it? Choices: dog, hot dog, cat. answer shortly.",
        "0.0 Is there a dog? answer shortly.",
    ]


def test_the_verifier_is_right_about_every_question_of_the_world() -> None:
    """All kinds, on pictures of true scenes; every question the world asks is one that it can answer."""
    examples = scene_examples("pairs", 25, 3)
    asked = [
        [JudgeQuestion(kind=q.kind, text=q.text, answer=q.answer) for q in (*e.questions, *e.presence)]
        for e in examples
    ]
    verdicts = judge_images(SceneVerifier(), [e.image for e in examples], asked)
    assert {verdict.accuracy for verdict in verdicts} == {1.0}


SCENE = Scene("white", (Object("top left", "circle", "red", "big"), Object("bottom right", "square", "blue", "small")))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the circle left of the square?", "yes."),
        ("Is the circle below the square?", "no."),
        ("Is the square blue?", "yes."),
        ("Is the square red?", "no."),
        ("Are there exactly two circles in the picture?", "no."),
        ("Is there a triangle in the picture?", "no."),
        ("what colour is the square at the top left?", "there is nothing like that."),
        ("what is at the bottom left?", "there is nothing like that."),
    ],
)
def test_what_the_verifier_says(question: str, answer: str) -> None:
    assert say(question, SCENE) == answer


def test_the_verifier_does_not_guess() -> None:
    with pytest.raises(ValueError, match="cannot answer 'What is the mood\\?'"):
        say("What is the mood?", SCENE)
    small = np.zeros((8, 8, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="takes pictures of 32 x 32 x 3"):
        SceneVerifier().reply([small], [YES])

"""Captions are complete, true answers are graded true and false ones false, and presence is balanced."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bifrons.scenes import (
    QUESTION_KINDS,
    Object,
    Question,
    QuestionKind,
    Reading,
    Scene,
    captions,
    draw_scene,
    grade,
    presence_question,
    question,
    request,
    verify,
)
from bifrons.scenes.language import unique_name

ALL_KINDS: tuple[QuestionKind, ...] = (*QUESTION_KINDS, "presence")

SCENE = Scene(
    "grey",
    (
        Object("top left", "circle", "red", "big"),
        Object("top right", "circle", "red", "small"),
        Object("bottom left", "square", "blue", "big"),
    ),
)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = np.random.default_rng(11)
    return [draw_scene(rng) for _ in range(300)]


def seen(scene: Scene) -> Reading:
    return Reading(scene, 0.0, ())


def test_captions_verify_exactly_on_their_scene(scenes: list[Scene]) -> None:
    """Each of the five names every object with all attributes, and the background."""
    rng = np.random.default_rng(0)
    for scene in scenes:
        for caption in captions(scene, rng):
            asked = request(caption)
            assert verify(asked, seen(scene)).exact, caption
            assert asked.background == scene.background
            assert sorted((item.place, item.shape, item.colour, item.size) for item in asked.items) == [
                (thing.place, thing.shape, thing.colour, thing.size) for thing in scene.objects
            ]


def test_captions_do_not_verify_on_another_scene(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(0)
    for scene, other in pairwise(scenes):
        if scene != other:
            assert not any(verify(request(caption), seen(other)).exact for caption in captions(scene, rng))


def test_the_five_captions_differ_in_wording() -> None:
    assert len(set(captions(SCENE, np.random.default_rng(0)))) == 5


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_true_answers_are_graded_true(kind: QuestionKind, scenes: list[Scene]) -> None:
    """The short answer, the detailed one, and either with other capitals and spaces."""
    rng = np.random.default_rng(1)
    for scene in scenes:
        asked = question(scene, kind, rng)
        assert asked.kind == kind
        for answer in (asked.answer, asked.answer_in_detail, f"  {asked.answer.upper()} "):
            assert grade(kind, asked.answer, answer) is True, (asked, answer)
        assert asked.answer_in_detail.startswith(asked.answer + " ")
        assert asked.answer == asked.answer.lower()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_answers_of_another_scene_are_graded_by_what_they_say(kind: QuestionKind, scenes: list[Scene]) -> None:
    """An answer that says another thing than the truth is false, and one that says the same is true."""
    rng = np.random.default_rng(2)
    answers = [question(scene, kind, rng).answer for scene in scenes[:60]]
    false = 0
    for truth in answers:
        for given in answers:
            if kind == "counting":  # the number is what was asked for: "there are two circles."
                same = truth.split()[2] == given.split()[2]
            elif kind == "description":  # the same objects may come in another order
                same = sorted(request(truth).items) == sorted(request(given).items)
            else:
                same = truth == given
            assert grade(kind, truth, given) is same
            false += grade(kind, truth, given) is False
    assert false > 0


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("answer", ["", ".", "i do not see it.", "hmm", "...it is a big red circle"])
def test_an_answer_that_says_nothing_is_not_graded(kind: QuestionKind, answer: str) -> None:
    """None, which is not False: what was not parsed is counted apart. Only the first sentence counts."""
    truth = question(SCENE, kind, np.random.default_rng(0)).answer
    assert grade(kind, truth, answer) is None


def test_the_answers_of_a_kind_say_nothing_to_most_other_kinds() -> None:
    """A place is no colour and a count no yes: an answer of the wrong kind is unparsed or false.

    The one exception is right: who describes the object with its place has identified it.
    """
    answers = {
        "identification": "it is a big red circle.",
        "counting": "there are three objects.",
        "spatial": "it is at the bottom left.",
        "attribute": "it is blue.",
        "description": "a big red circle top left.",
        "presence": "yes.",
    }
    graded = {(kind, other): grade(kind, answers[kind], answers[other]) for kind in ALL_KINDS for other in ALL_KINDS}
    for (kind, other), result in graded.items():
        assert (result is True) == (kind == other or (kind, other) == ("identification", "description")), (kind, other)
    assert graded["counting", "spatial"] is None
    assert graded["presence", "identification"] is None
    assert graded["spatial", "attribute"] is None


@pytest.mark.parametrize(
    ("kind", "truth", "answer", "expected"),
    [
        ("identification", "it is a big red circle.", "a circle, big and red", True),  # order is free
        ("identification", "it is a big red circle.", "it is a big red square.", False),
        ("identification", "it is a big red circle.", "it is a red circle.", False),  # the size is missing
        ("identification", "it is a big red circle.", "it is a big red blue circle.", False),  # and hedging is wrong
        ("counting", "there are two circles.", "two squares", True),  # the number was asked for
        ("counting", "there are no circles.", "there is one circle.", False),
        ("spatial", "it is at the top left.", "top right", False),
        ("spatial", "it is at the top left.", "left, at the top", True),
        ("attribute", "it is big.", "it is big and red.", False),
        ("presence", "yes.", "no. yes.", False),  # the first sentence decides
        ("presence", "no.", "yes and no", False),
        ("description", "a big red circle top left.", "a big red circle top left and a small blue square.", False),
        ("description", "a big red circle top left.", "a big red circle.", False),
    ],
)
def test_grading(kind: QuestionKind, truth: str, answer: str, expected: bool) -> None:
    assert grade(kind, truth, answer) is expected


def test_a_description_may_name_its_objects_in_any_order() -> None:
    truth = question(SCENE, "description", np.random.default_rng(0)).answer
    parts = truth.removesuffix(".").replace(" and ", ", ").split(", ")
    assert grade("description", truth, ", ".join(reversed(parts)) + ".") is True


def test_counts_are_right(scenes: list[Scene]) -> None:
    """Against a count made here from the words of the question."""
    rng = np.random.default_rng(3)
    numbers = ("no", "one", "two", "three", "four")
    asked_for: Counter[str] = Counter()
    for scene in scenes:
        asked = question(scene, "counting", rng)
        noun = next(n for n in ("object", "circle", "square", "triangle") if f"{n}s" in asked.text)
        count = sum(noun in ("object", thing.shape) for thing in scene.objects)
        assert f" {numbers[count]} {noun}" in asked.answer
        assert asked.answer.startswith("there is" if count == 1 else "there are")
        asked_for[noun] += 1
    assert min(asked_for.values()) > 40


def test_a_spatial_question_names_one_object_only(scenes: list[Scene]) -> None:
    """Else it would have two answers."""
    for scene in scenes:
        names = [unique_name(scene, thing) for thing in scene.objects]
        assert len(set(names)) == len(names)
        for thing, name in zip(scene.objects, names, strict=True):
            (item,) = request(f"a {name}").items
            fitting = [o for o in scene.objects if all(getattr(o, k) == v for k, v in item.attributes())]
            assert fitting == [thing]


def test_presence_is_balanced(scenes: list[Scene]) -> None:
    """Yes and no within five standard errors of a half, so that an answer that never changes scores a half."""
    rng = np.random.default_rng(4)
    said = Counter(question(scene, "presence", rng).answer for scene in scenes * 4)
    assert said.keys() == {"yes.", "no."}
    assert abs(said["yes."] / said.total() - 0.5) < 5 * 0.5 / said.total() ** 0.5


@pytest.mark.parametrize("present", [True, False])
def test_a_presence_question_has_the_answer_that_was_asked_for(present: bool, scenes: list[Scene]) -> None:
    rng = np.random.default_rng(5)
    for scene in scenes:
        asked: Question = presence_question(scene, present, rng)
        (item,) = request(asked.text).items
        there = any((thing.colour, thing.shape) == (item.colour, item.shape) for thing in scene.objects)
        assert there == present
        assert asked.answer == ("yes." if present else "no.")


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_added_details_are_true(kind: QuestionKind, scenes: list[Scene]) -> None:
    """Whatever the second sentence says of objects or of their number holds in the scene."""
    rng = np.random.default_rng(6)
    numbers = ("no", "one", "two", "three")
    for scene in scenes:
        asked = question(scene, kind, rng)
        added = asked.answer_in_detail.removeprefix(asked.answer).strip()
        items = request(added).items
        for item in items:
            assert any(all(getattr(o, k) == v for k, v in item.attributes()) for o in scene.objects)
        if not items:
            assert f" {numbers[len(scene.objects)]} object" in added
            assert f" {scene.background} background" in added


def test_an_unknown_kind_is_refused() -> None:
    unknown: Any = "riddle"
    with pytest.raises(ValueError, match="no question kind 'riddle'; there are identification"):
        question(SCENE, unknown, np.random.default_rng(0))


def test_a_question_depends_on_its_seed_alone() -> None:
    other = replace(SCENE)
    for kind in ALL_KINDS:
        assert question(SCENE, kind, np.random.default_rng(9)) == question(other, kind, np.random.default_rng(9))

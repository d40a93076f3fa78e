"""What a prompt asks for, and how well a drawing gives it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from bifrons.scenes import (
    PROMPT_KINDS,
    Item,
    Object,
    PromptKind,
    Reading,
    Request,
    Scene,
    draw_prompt,
    read,
    render,
    request,
    verify,
)
from bifrons.scenes.world import COLOURS

CIRCLE = Object("top left", "circle", "red", "big")
SQUARE = Object("bottom right", "square", "blue", "small")


def seen(*objects: Object, background: str = "white", unreadable: tuple[str, ...] = ()) -> Reading:
    return Reading(Scene(background, objects), 0.0, unreadable)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a circle", Request((Item("circle"),))),
        ("A big Red circle at the top left.", Request((Item("circle", "red", "big", "top left"),))),
        ("three squares", Request((Item("square"),) * 3)),
        ("a red circle and a blue square", Request((Item("circle", "red"), Item("square", "blue")))),
        ("a circle above a square", Request((Item("circle"), Item("square")), relation="above")),
        (
            "on grey: small green triangle top right.",
            Request((Item("triangle", "green", "small", "top right"),), "grey"),
        ),
        ("bottom left: a circle. the background is black.", Request((Item("circle", place="bottom left"),), "black")),
        ("a dog on a sofa", Request(())),
    ],
)
def test_what_a_prompt_asks_for(prompt: str, expected: Request) -> None:
    assert request(prompt) == expected


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_prompts_verify_on_their_scene_drawn_and_read(kind: PromptKind) -> None:
    """Through the pixels: the prompt's own scene, rendered and read back, is exact."""
    rng = np.random.default_rng(0)
    sizes: Counter[int] = Counter()
    for _ in range(60):
        prompt, scene = draw_prompt(kind, rng)
        asked = request(prompt)
        verdict = verify(asked, read(render(scene)))
        assert verdict.exact, prompt
        assert verdict.attributes_right == 1.0
        assert len(asked.items) == len(scene.objects)
        assert bool(asked.relation) == (kind == "position")
        assert all(bool(item.colour) == (kind in ("colours", "attribute_binding")) for item in asked.items)
        sizes[len(scene.objects)] += 1
    assert set(sizes) == ({1} if kind in ("single_object", "colours") else {2, 3} if kind == "counting" else {2})


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_prompts_keep_to_their_split(kind: PromptKind) -> None:
    rng = np.random.default_rng(1)
    assert {draw_prompt(kind, rng, "evaluation")[1].split for _ in range(10)} == {"evaluation"}


def test_an_unknown_prompt_kind_is_refused() -> None:
    unknown: Any = "poem"
    with pytest.raises(ValueError, match="no prompt kind 'poem'; there are single_object"):
        draw_prompt(unknown, np.random.default_rng(0))


def test_a_request_without_objects_cannot_be_verified() -> None:
    with pytest.raises(ValueError, match="names no object"):
        verify(request("a dog on a white sofa"), seen(CIRCLE))


def test_a_wrong_colour_is_not_exact() -> None:
    """Every colour but the asked one, through the pixels, costs the one attribute."""
    asked = request("a big red circle at the top left")
    for colour in COLOURS.keys() - {"red"}:
        verdict = verify(asked, read(render(Scene("white", (Object("top left", "circle", colour, "big"),)))))
        assert not verdict.exact
        assert verdict.attributes_right == 3 / 4


@pytest.mark.parametrize(
    ("prompt", "drawn", "exact", "attributes_right"),
    [
        ("a circle", seen(CIRCLE), True, 1.0),
        ("a circle", seen(CIRCLE, SQUARE), False, 1.0),  # one object too many
        ("a circle", seen(CIRCLE, unreadable=("top right",)), False, 1.0),  # or something that cannot be read
        ("a circle", seen(), False, 0.0),
        ("a red square", seen(CIRCLE), False, 1 / 2),
        ("two circles", seen(CIRCLE), False, 1 / 2),
        ("a blue circle and a red square", seen(CIRCLE, SQUARE), False, 1 / 2),  # bound the wrong way round
        ("a red circle and a blue square", seen(SQUARE, CIRCLE), True, 1.0),  # in whatever order it was read
        ("a red circle on a black background", seen(CIRCLE), False, 2 / 3),
        ("a red circle on a white background", seen(CIRCLE), True, 1.0),
        ("a circle at the top left", seen(CIRCLE), True, 1.0),
        ("a circle at the top right", seen(CIRCLE), False, 1 / 2),
        ("a circle left of a square", seen(CIRCLE, SQUARE), True, 1.0),
        ("a circle above a square", seen(CIRCLE, SQUARE), True, 1.0),
        ("a circle right of a square", seen(CIRCLE, SQUARE), False, 2 / 3),
        ("a square below a circle", seen(CIRCLE, SQUARE), True, 1.0),
        ("a circle above a circle", seen(CIRCLE), False, 1 / 3),
    ],
)
def test_verdicts(prompt: str, drawn: Reading, exact: bool, attributes_right: float) -> None:
    verdict = verify(request(prompt), drawn)
    assert verdict.exact is exact
    assert verdict.attributes_right == pytest.approx(attributes_right)


def test_the_kindest_assignment_counts() -> None:
    """Two asked circles and two drawn ones: which is which is not fixed by the order of the words."""
    red, blue = Object("top left", "circle", "red", "big"), Object("top right", "circle", "blue", "big")
    for prompt in ("a red circle and a blue circle", "a blue circle and a red circle"):
        assert verify(request(prompt), seen(red, blue)).exact
    assert verify(request("a blue circle and a green circle"), seen(red, blue)).attributes_right == 3 / 4

"""Every builder against a model that answers and draws by rule: who wins, what is dropped, and that drops are
counted.
"""

from __future__ import annotations

from bifrons.pairs import model_against_model, planted_pairs, real_against_generated, understanding_pairs
from bifrons.scenes import Reading, read, render, request, verify
from bifrons.sources import scene_examples
from stand_in import ByVerifier, StandIn, code_scene, one_object_less

EXAMPLES = scene_examples("pairs", 12, 0)


def test_the_answer_with_more_content_is_chosen() -> None:
    """Detailed answers name the background and score higher; the pair keeps text, sampled tokens and provenance."""
    model = StandIn(say=lambda q, t: "a red circle on a white grey black background." if "detail" in q else "a thing.")
    built = understanding_pairs(model, EXAMPLES, min_margin=0.1, seed=5)  # type: ignore[arg-type]
    assert len(built.pairs) == 12 * 5 and not built.dropped
    pair = built.pairs[0]
    assert pair.chosen.startswith("a red circle") and pair.rejected == "a thing."
    assert "detail" not in pair.question and "sentence" not in pair.question
    assert pair.chosen_tokens == tuple(range(9))
    assert pair.provenance.chosen_score is not None and pair.provenance.rejected_score is not None
    assert pair.provenance.chosen_score > pair.provenance.rejected_score
    assert built.notes["second wording won"] == 60
    assert [call.temperature for call in model.calls] == [0.2, 1.0]
    assert model.calls[0].seed != model.calls[1].seed


def test_equal_and_close_answers_are_dropped_and_counted() -> None:
    """Every question is either a pair or a counted drop."""
    same = understanding_pairs(StandIn(), EXAMPLES)  # type: ignore[arg-type]
    assert not same.pairs and same.dropped == {"same answer": 60}
    close = StandIn(say=lambda q, t: "a dog here now." if "detail" in q else "a cat here now.")
    assert understanding_pairs(close, EXAMPLES).dropped == {"scores closer than 0.5": 60}  # type: ignore[arg-type]
    empty = StandIn(say=lambda q, t: "" if "detail" in q else "a cat.")
    assert understanding_pairs(empty, EXAMPLES).dropped == {"empty answer": 60}  # type: ignore[arg-type]


def test_real_picture_wins_where_the_drawing_is_worse() -> None:
    """Chosen codes are the real picture's own; a drawing that equals it is dropped."""
    built = real_against_generated(StandIn(spoil=one_object_less), EXAMPLES, ByVerifier())  # type: ignore[arg-type]
    assert len(built.pairs) == 12
    for pair, example in zip(built.pairs, EXAMPLES, strict=True):
        assert pair.prompt == example.prompt
        assert verify(request(pair.prompt), Reading(code_scene(pair.chosen_codes), 0.0, ())).exact
        assert not verify(request(pair.prompt), Reading(code_scene(pair.rejected_codes), 0.0, ())).exact
    perfect = real_against_generated(StandIn(), EXAMPLES, ByVerifier())  # type: ignore[arg-type]
    assert perfect.dropped == {"drawn exactly like the real picture": 12}


def test_model_against_model_counts_cooler_wins() -> None:
    """The hotter drawing lacks an object, so the cooler one wins each time, on whichever side it stands."""
    model = StandIn(spoil=one_object_less)
    for temperatures in ((0.7, 1.3), (1.3, 0.7)):
        built = model_against_model(model, EXAMPLES, ByVerifier(), temperatures=temperatures)  # type: ignore[arg-type]
        assert len(built.pairs) == 12 and built.notes["cooler drawing won"] == 12
        assert all(verify(request(p.prompt), Reading(code_scene(p.chosen_codes), 0.0, ())).exact for p in built.pairs)
    assert model_against_model(StandIn(), EXAMPLES, ByVerifier()).dropped == {"same drawing": 12}  # type: ignore[arg-type]


def test_planted_pairs_differ_in_every_colour_and_in_nothing_else() -> None:
    """Chosen draws the asked scene exactly; rejected has the same shapes, sizes and places, and no colour right."""
    built = planted_pairs(StandIn(), 20)  # type: ignore[arg-type]
    assert len(built.pairs) == 20
    for pair in built.pairs:
        right, wrong = code_scene(pair.chosen_codes), code_scene(pair.rejected_codes)
        assert verify(request(pair.prompt), read(render(right))).exact
        assert [(o.place, o.shape, o.size) for o in right.objects] == [
            (o.place, o.shape, o.size) for o in wrong.objects
        ]
        assert all(a.colour != b.colour for a, b in zip(right.objects, wrong.objects, strict=True))

"""Metrics over responses whose scores are known."""

from __future__ import annotations

import pytest

from bifrons.evaluation import METRICS, Responses, Scores, evaluate, respond, scaled_constants
from bifrons.evaluation.pope import f1_of_yes, parse
from bifrons.scenes import Scene
from bifrons.scorers import LengthConstants
from bifrons.sources import scene_examples
from stand_in import StandIn

EXAMPLES = scene_examples("evaluation", 10, 0)


def mean(scores: Scores) -> float:
    return sum(scores.items.values()) / len(scores.items)


def scored(model: StandIn, **settings: bool) -> dict[str, Scores]:
    return {s.metric: s for s in evaluate(respond(model, EXAMPLES, **settings))}  # type: ignore[arg-type]


def test_a_perfect_model_scores_one_everywhere() -> None:
    """Right answers and right drawings: accuracy, POPE, F1, exact scenes and attributes are 1, unparsed 0."""
    truth = {q.text: q.answer for e in EXAMPLES for q in (*e.questions, *e.presence)}
    by_image = iter(
        [q.answer for i, e in enumerate(EXAMPLES) for q in [e.questions[i % 5]]]
        + [q.answer for e in EXAMPLES for q in e.presence]
    )
    found = scored(StandIn(say=lambda q, t: next(by_image)))
    assert len(truth) > 10
    for name in ("answer_accuracy", "pope_accuracy", "pope_accuracy_parsed", "exact_scene", "attribute_accuracy"):
        assert mean(found[name]) == 1.0, name
    assert found["pope_f1"].value == 1.0 and mean(found["pope_unparsed"]) == 0.0


def test_always_no_is_exposed() -> None:
    """A model that always says no has POPE accuracy 0.5 and F1 0: the degenerate case of the study's claim 18."""
    found = scored(StandIn(say=lambda q, t: "no."))
    assert mean(found["pope_accuracy"]) == 0.5 and found["pope_f1"].value == 0.0


def test_unparsed_answers_are_counted_and_wrong() -> None:
    """Neither yes nor no: wrong over all, absent with its reason over the parsed."""
    found = scored(StandIn(say=lambda q, t: "perhaps."))
    assert mean(found["pope_accuracy"]) == 0.0 and mean(found["pope_unparsed"]) == 1.0
    assert not found["pope_accuracy_parsed"].items and "yes or no" in found["pope_accuracy_parsed"].reason


def test_an_object_more_is_not_exact() -> None:
    """Attributes stay right when something is added; exactness does not."""

    def doubled(scene: Scene, temperature: float) -> Scene:
        free = next(
            p
            for p in ("top left", "top right", "bottom left", "bottom right")
            if p not in {o.place for o in scene.objects}
        )
        first = scene.objects[0]
        return Scene(scene.background, (*scene.objects, type(first)(free, first.shape, first.colour, first.size)))

    found = scored(StandIn(spoil=doubled))
    assert mean(found["exact_scene"]) == 0.0 and mean(found["attribute_accuracy"]) == 1.0


def test_what_was_not_sampled_is_absent_with_its_reason() -> None:
    """One face left out: its metrics hold no items and a reason, never 0."""
    found = scored(StandIn(), generation=False)
    for name, metric in METRICS.items():
        if metric.task == "generation":
            assert not found[name].items and found[name].value is None and found[name].reason
    nothing = evaluate(Responses())
    assert [s.metric for s in nothing] == list(METRICS)
    assert all(not s.items and s.value is None and s.reason for s in nothing)


def test_question_kinds_take_turns_and_ids_are_unique() -> None:
    """Ten examples ask each of five kinds twice."""
    responses = respond(StandIn(), EXAMPLES)  # type: ignore[arg-type]
    kinds = [row.question.kind for row in responses.answers]
    assert all(kinds.count(kind) == 2 for kind in set(kinds)) and len(set(kinds)) == 5
    ids = [row.id for row in (*responses.answers, *responses.presence)]
    assert len(set(ids)) == len(ids)


def test_f1_by_hand() -> None:
    """Two true positives, one false positive, one false negative: 2*2 / (2*2 + 2); no yes anywhere: None."""
    assert f1_of_yes([(True, True), (True, True), (True, False), (False, True)]) == pytest.approx(4 / 6)
    assert f1_of_yes([(False, False)]) is None


def test_parse_takes_the_first_word_that_decides() -> None:
    """Words inside other words do not count."""
    assert parse("Yes, no doubt") is True
    assert parse("no.") is False
    assert parse("nothing yesterday") is None


def test_length_constants_scale_with_the_base() -> None:
    """At the paper's own length they are the paper's; at a fifth of it a fifth."""
    assert scaled_constants(45.0) == LengthConstants()
    assert scaled_constants(9.0) == LengthConstants(6.0, 1.0)

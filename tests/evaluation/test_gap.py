"""The gap in three numbers, by arithmetic, by kind, and with a judge that errs by a known share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bifrons.evaluation.gap import GapItem, gaps_of, judge_error, judge_gap
from bifrons.records import JudgeQuestion

ASKED = (
    JudgeQuestion(kind="object", text="a?", answer="yes"),
    JudgeQuestion(kind="object", text="b?", answer="no"),
    JudgeQuestion(kind="count", text="c?", answer="yes"),
    JudgeQuestion(kind="count", text="d?", answer="no"),
)
ITEMS = [GapItem(id=f"i{i}", image=("real", i), drawing=("drawn", i), questions=ASKED) for i in range(8)]


class ByRule:
    """Says what `says(image, question)` gives."""

    def __init__(self, name: str, says: Any) -> None:
        self.name, self.says, self.calls = name, says, 0

    def reply(self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Any = None) -> list[str]:
        self.calls += 1
        return [self.says(image, question) for image, question in zip(images, questions, strict=True)]


def truth(question: JudgeQuestion, wrong: bool) -> str:
    return question.answer if not wrong else {"yes": "no", "no": "yes"}[question.answer]


MODEL = ByRule("model", lambda image, q: truth(q, image[0] == "drawn" and image[1] < 4 and q.text == "c?"))
VERIFIER = ByRule(
    "verifier", lambda image, q: truth(q, image[0] == "drawn" and image[1] < 6 and q.text in ("c?", "a?"))
)


def test_the_three_numbers() -> None:
    """U 1; the model calls 4 of 32 wrong about drawings, the verifier 12 of 32."""
    own = judge_gap(ITEMS, MODEL, MODEL)
    exact = judge_gap(ITEMS, MODEL, VERIFIER, understanding=own.understanding)
    mine, true = gaps_of(own)[0], gaps_of(exact)[0]
    assert (mine.understanding, mine.generation, mine.control) == (1.0, 28 / 32, 1.0)
    assert mine.gap == mine.deficit == pytest.approx(4 / 32), "judged by the model itself C is U, and the two agree"
    assert (true.generation, true.control, true.gap) == (20 / 32, 1.0, pytest.approx(12 / 32))
    assert mine.gap_interval is not None and mine.gap_interval[0] <= mine.gap <= mine.gap_interval[1]
    assert mine.judge == "model" and true.judge == "verifier"
    assert (mine.num_items, mine.num_questions) == (8, 32)


def test_gaps_by_kind_add_up() -> None:
    found = {gap.kind: gap for gap in gaps_of(judge_gap(ITEMS, MODEL, VERIFIER))}
    assert list(found) == ["", "object", "count"]
    assert found["object"].gap == found["count"].gap == pytest.approx(6 / 16)
    assert found[""].num_questions == found["object"].num_questions + found["count"].num_questions


def test_how_far_a_judge_errs() -> None:
    """The model forgives c? of items 4 and 5 and a? of items 0 to 5, and is never too harsh."""
    own = judge_gap(ITEMS, MODEL, MODEL)
    error = judge_error(own, judge_gap(ITEMS, MODEL, VERIFIER))
    assert (error.too_kind, error.too_harsh) == (8 / 32, 0.0)
    assert error.agreement == 24 / 32 and error.unread == 0.0 and error.chance == 0.5
    with pytest.raises(ValueError, match="not asked the same questions"):
        judge_error(own, judge_gap(ITEMS[1:], MODEL, VERIFIER))


def test_the_reader_is_asked_about_real_images_once() -> None:
    model = ByRule("model", MODEL.says)
    judge_gap(ITEMS, model, model)
    assert model.calls == 2


def test_too_few_images_and_equal_differences() -> None:
    with pytest.raises(ValueError, match="at least two images"):
        judge_gap(ITEMS[:1], MODEL, MODEL)
    perfect = ByRule("perfect", lambda image, q: q.answer)
    assert gaps_of(judge_gap(ITEMS, perfect, perfect))[0].gap_interval is None, "all differences are 0: no interval"

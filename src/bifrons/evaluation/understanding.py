"""Metrics of answers: the VQA score and its length-free variant, exact accuracy by question kind, and length."""

from __future__ import annotations

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses
from bifrons.scenes import QUESTION_KINDS, grade
from bifrons.scorers import LengthConstants, content_score
from bifrons.scorers.choice import picks
from bifrons.scorers.content import words
from bifrons.sources import Question

VQA = Metric(
    name="vqa_score",
    label="VQA score",
    task="understanding",
    direction="higher",
    primary=True,
    description="Overlap of the answer with the image's captions, 0 to 6: content, a little novelty, a length bonus.",
)
VQA_LENGTH_FREE = Metric(
    name="vqa_score_length_free",
    label="VQA score, length-free",
    task="understanding",
    direction="higher",
    description="The VQA score without its length bonus, 0 to 5.",
)
ACCURACY = Metric(
    name="answer_accuracy",
    label="Answer accuracy",
    task="understanding",
    direction="higher",
    description="Share of answers whose first sentence is exactly right, all kinds; unreadable answers are wrong.",
)
LENGTH = Metric(
    name="response_length",
    label="Response length",
    task="understanding",
    direction="neither",
    description="Words in an answer.",
)
BY_KIND = tuple(
    Metric(
        name=f"answer_accuracy_{kind}",
        label=f"Answer accuracy, {kind}",
        task="understanding",
        direction="higher",
        description=f"Share of {kind} questions answered exactly.",
    )
    for kind in QUESTION_KINDS
)


def understanding_scores(responses: Responses, constants: LengthConstants) -> list[Scores]:
    """Scores of every metric of this file. Exact accuracy needs questions with a known truth; without, it says so."""
    if not responses.answers:
        return [
            Scores(metric=m.name, reason="no questions were asked")
            for m in (VQA, VQA_LENGTH_FREE, ACCURACY, LENGTH, *BY_KIND)
        ]
    scored = {row.id: content_score(row.answer.text, row.example.captions, constants) for row in responses.answers}
    truths = [row for row in responses.answers if row.question.answer]
    right = {row.id: float(is_right(row.question, row.answer.text) is True) for row in truths}
    found = [
        Scores(metric=VQA.name, items={key: score.total for key, score in scored.items()}),
        Scores(metric=VQA_LENGTH_FREE.name, items={key: score.length_free for key, score in scored.items()}),
        Scores(metric=ACCURACY.name, items=right, reason="" if right else "no question has a known answer"),
        Scores(metric=LENGTH.name, items={row.id: float(len(words(row.answer.text))) for row in responses.answers}),
    ]
    for kind, metric in zip(QUESTION_KINDS, BY_KIND, strict=True):
        items = {row.id: right[row.id] for row in truths if row.question.kind == kind}
        found.append(Scores(metric=metric.name, items=items, reason="" if items else f"no {kind} question was asked"))
    return found


def is_right(question: Question, answer: str) -> bool | None:
    """By the closed question's choices, or by the rules of the scene world; None for an answer that says neither."""
    if question.choices:
        return picks(question, answer)
    return grade(question.kind, question.answer, answer)  # type: ignore[arg-type]

"""Metrics of answers: the VQA score and its length-free variant, exact accuracy by question kind, and length."""

from __future__ import annotations

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses
from bifrons.scenes import QUESTION_KINDS, grade
from bifrons.scorers import ContentScore, LengthConstants, content_score
from bifrons.scorers.choice import picks
from bifrons.scorers.content import words
from bifrons.sources import Question
from bifrons.sources.vqa_answers import soft_accuracy

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
    unit="words",
    description="Words in an answer; of images with captions, where there are any.",
)
PER_WORD = Metric(
    name="vqa_score_per_word",
    label="VQA score a word",
    task="understanding",
    direction="higher",
    description="The VQA score over the words of the answer; an answer without a word has none.",
)
SOFT_ACCURACY = Metric(
    name="vqa_soft_accuracy",
    label="VQAv2 soft accuracy",
    task="understanding",
    direction="higher",
    description="min(n / 3, 1) for n people who gave the answer, on questions that people answered (VQAv2).",
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


METRICS = (VQA, VQA_LENGTH_FREE, ACCURACY, LENGTH, PER_WORD, SOFT_ACCURACY, *BY_KIND)


def understanding_scores(responses: Responses, constants: LengthConstants) -> list[Scores]:
    """Scores of every metric of this file. Exact accuracy needs questions with a known truth; without, it says so."""
    if not responses.answers:
        return [Scores(metric=m.name, reason="no questions were asked") for m in METRICS]
    captioned = [row for row in responses.answers if row.example.captions]
    scored = {row.id: content_score(row.answer.text, row.example.captions, constants) for row in captioned}
    counted = captioned or responses.answers  # what the VQA score is of: a benchmark's one word beside it says no more
    truths = [row for row in responses.answers if can_be_graded(row.question)]
    right = {row.id: float(is_right(row.question, row.answer.text) is True) for row in truths}
    uncaptioned = "" if scored else "no image that was asked about has captions"
    found = [
        Scores(metric=VQA.name, items={key: score.total for key, score in scored.items()}, reason=uncaptioned),
        Scores(
            metric=VQA_LENGTH_FREE.name,
            items={key: score.length_free for key, score in scored.items()},
            reason=uncaptioned,
        ),
        Scores(metric=ACCURACY.name, items=right, reason="" if right else "no question has a known answer"),
        Scores(metric=LENGTH.name, items={row.id: float(len(words(row.answer.text))) for row in counted}),
        per_word(scored),
        soft_accuracy_scores(responses),
    ]
    for kind, metric in zip(QUESTION_KINDS, BY_KIND, strict=True):
        items = {row.id: right[row.id] for row in truths if row.question.kind == kind}
        found.append(Scores(metric=metric.name, items=items, reason="" if items else f"no {kind} question was asked"))
    return found


def can_be_graded(question: Question) -> bool:
    """A closed question, or one of the scene world."""
    return bool(question.answer) and (bool(question.choices) or question.kind in QUESTION_KINDS)


def is_right(question: Question, answer: str) -> bool | None:
    """By the closed question's choices, or by the rules of the scene world; None for an answer that says neither."""
    if question.choices:
        return picks(question, answer)
    return grade(question.kind, question.answer, answer)  # type: ignore[arg-type]


def per_word(scored: dict[str, ContentScore]) -> Scores:
    items = {key: score.total / score.num_words for key, score in scored.items() if score.num_words}
    return Scores(metric=PER_WORD.name, items=items, reason="" if items else "no answer that can be scored has a word")


def soft_accuracy_scores(responses: Responses) -> Scores:
    """Over questions that carry the answers of people. A scene's question has one exact answer, and wordings of one
    answer are not ten people, so on scenes there is none.
    """
    items: dict[str, float] = {}
    for row in responses.answers:
        if row.question.answers:
            items[row.id] = soft_accuracy(row.answer.text, row.question.answers)
    return Scores(
        metric=SOFT_ACCURACY.name, items=items, reason="" if items else "no question carries people's answers"
    )

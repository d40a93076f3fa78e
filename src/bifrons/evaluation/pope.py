"""POPE: yes/no questions of presence, balanced by answer (Li et al. 2023). Answers that do not parse are counted, not
hidden.
"""

from __future__ import annotations

import re

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses

ACCURACY = Metric(
    name="pope_accuracy",
    label="POPE accuracy",
    task="understanding",
    direction="higher",
    primary=True,
    description="Share of yes/no questions answered rightly; an answer that says neither is wrong.",
)
ACCURACY_PARSED = Metric(
    name="pope_accuracy_parsed",
    label="POPE accuracy, parsed",
    task="understanding",
    direction="higher",
    description="The same over the answers that say yes or no.",
)
F1 = Metric(
    name="pope_f1",
    label="POPE F1",
    task="understanding",
    direction="higher",
    description="F1 of yes, over all questions; an answer that says neither counts as no.",
)
UNPARSED = Metric(
    name="pope_unparsed",
    label="POPE unparsed",
    task="understanding",
    direction="lower",
    description="Share of answers that say neither yes nor no.",
)
METRICS = (ACCURACY, ACCURACY_PARSED, F1, UNPARSED)


def parse(answer: str) -> bool | None:
    """True for yes, False for no, by the first of the two words; None for neither."""
    found = re.search(r"\b(yes|no)\b", answer.lower())
    return None if found is None else found[1] == "yes"


def pope_scores(responses: Responses) -> list[Scores]:
    if not responses.presence:
        return [Scores(metric=metric.name, reason="no presence questions were asked") for metric in METRICS]
    said = {row.id: parse(row.answer.text) for row in responses.presence}
    truth = {row.id: row.question.answer.lower().startswith("yes") for row in responses.presence}
    parsed = {key: float(said[key] == truth[key]) for key in said if said[key] is not None}
    f1 = f1_of_yes([(said[key] is True, truth[key]) for key in said])
    return [
        Scores(metric=ACCURACY.name, items={key: float(said[key] == truth[key]) for key in said}),
        Scores(metric=ACCURACY_PARSED.name, items=parsed, reason="" if parsed else "no answer says yes or no"),
        Scores(metric=F1.name, value=f1, reason="" if f1 is not None else "no yes was expected and none was said"),
        Scores(metric=UNPARSED.name, items={key: float(value is None) for key, value in said.items()}),
    ]


def f1_of_yes(rows: list[tuple[bool, bool]]) -> float | None:
    """2 TP / (2 TP + FP + FN) over (said yes, is yes); None where neither ever occurs."""
    true_positive = sum(said and true for said, true in rows)
    wrong = sum(said != true for said, true in rows)
    return 2 * true_positive / (2 * true_positive + wrong) if true_positive + wrong else None

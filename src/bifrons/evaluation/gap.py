"""The gap between reading and drawing, in three numbers of one set of questions (HermesFlow, Section 3.1).

    U    the model's accuracy on questions about real images
    G_J  a judge's accuracy on the same questions about the model's drawings of those images' captions
    C_J  that judge's accuracy on the real images

    gap = U - G_J;  drawing deficit = C_J - G_J

The published gap takes the model itself for U and a stronger judge for G_J, and so mixes the judge's skill with the
model's ability; the drawing deficit does not. Where the judge is the model, C_J = U and the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bifrons.evaluation.metric import Metric
from bifrons.records import JudgeQuestion
from bifrons.scorers.judge import Judge, Verdict, judge_images, leaning
from bifrons.stats import two_way_bootstrap_difference

Report = Callable[[int], None]
NUM_RESAMPLES = 2000
DECIMALS = 12  # the last bits of a sum are no difference: an interval that ends at 0 must not exclude it

GAP = Metric(
    name="gap",
    label="Gap",
    task="understanding",
    direction="lower",
    primary=True,
    description="U - G: the model's accuracy on questions about real images less its judge's on the same questions "
    "about its drawings; the judge is the model itself.",
)
DEFICIT = Metric(
    name="drawing_deficit_verified",
    label="Drawing deficit, verified",
    task="generation",
    direction="lower",
    description="C - G with the exact verifier as judge: the share of questions that a perfect judge answers wrongly "
    "about the drawings.",
)
GAP_VERIFIED = Metric(
    name="gap_verified",
    label="Gap, verified",
    task="understanding",
    direction="lower",
    description="U - G with the exact verifier as the judge of drawings: as the published gap, by a stronger judge.",
)
READING = Metric(
    name="gap_understanding",
    label="U, questions about real images",
    task="understanding",
    direction="higher",
    description="The model's accuracy on the questions of the gap, about real images.",
)
DRAWING = Metric(
    name="gap_generation",
    label="G, self-judged",
    task="generation",
    direction="higher",
    description="The model's accuracy on the same questions about its own drawings.",
)
DRAWING_VERIFIED = Metric(
    name="gap_generation_verified",
    label="G, verified",
    task="generation",
    direction="higher",
    description="The exact verifier's accuracy on the same questions about the model's drawings.",
)
METRICS = (GAP, GAP_VERIFIED, DEFICIT, READING, DRAWING, DRAWING_VERIFIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapItem:
    """One image with its questions and the drawing of its caption."""

    id: str
    image: Any
    drawing: Any
    questions: tuple[JudgeQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedGap:
    """All replies of one gap by item: the model about real images, the judge about drawings and real images."""

    judge: str
    questions: tuple[tuple[JudgeQuestion, ...], ...]
    ids: tuple[str, ...]
    understanding: tuple[Verdict, ...]
    generation: tuple[Verdict, ...]
    control: tuple[Verdict, ...]

    def accuracies(self, part: str, kind: str | None = None) -> dict[str, float]:
        """Share answered as expected of each item that has questions of the kind; unread replies are wrong."""
        verdicts: tuple[Verdict, ...] = getattr(self, part)
        found: dict[str, float] = {}
        for name, asked, verdict in zip(self.ids, self.questions, verdicts, strict=True):
            each = [
                value is True
                for question, value in zip(asked, verdict.each, strict=True)
                if kind is None or question.kind == kind
            ]
            if each:
                found[name] = sum(each) / len(each)
        return found

    @property
    def kinds(self) -> list[str]:
        return list(dict.fromkeys(question.kind for asked in self.questions for question in asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """U, G and C of one judge and one kind of question (all kinds: empty), gap and deficit with 95% intervals.

    Intervals come from a paired bootstrap over images; None where all differences are equal.
    """

    judge: str
    kind: str
    understanding: float
    generation: float
    control: float
    gap: float
    gap_interval: tuple[float, float] | None
    deficit: float
    deficit_interval: tuple[float, float] | None
    num_items: int
    num_questions: int


def judge_gap(
    items: Sequence[GapItem],
    reader: Judge,
    judge: Judge,
    *,
    understanding: Sequence[Verdict] | None = None,
    report: Report | None = None,
) -> JudgedGap:
    """Ask `reader`, the model, about the real images, and `judge` about real images and drawings.

    With `understanding`, what the reader said before is not asked again; where reader and judge are one, C_J is U.
    Raises ValueError for fewer than two items.
    """
    if len(items) < 2:
        raise ValueError(f"a gap needs at least two images with questions; there are {len(items)}")
    questions = [item.questions for item in items]
    real = [item.image for item in items]
    if understanding is None:
        understanding = judge_images(reader, real, questions, report)
    drawn = judge_images(judge, [item.drawing for item in items], questions, report)
    control = understanding if judge is reader else judge_images(judge, real, questions, report)
    return JudgedGap(
        judge=judge.name,
        questions=tuple(questions),
        ids=tuple(item.id for item in items),
        understanding=tuple(understanding),
        generation=tuple(drawn),
        control=tuple(control),
    )


def gaps_of(judged: JudgedGap, *, seed: int = 0) -> list[Gap]:
    """The gap over all questions, then of each kind that at least two images have."""
    found = [gap_of(judged, None, seed)]
    return found + [gap_of(judged, k, seed) for k in judged.kinds if len(judged.accuracies("generation", k)) > 1]


def gap_of(judged: JudgedGap, kind: str | None, seed: int) -> Gap:
    parts = {part: judged.accuracies(part, kind) for part in ("understanding", "generation", "control")}
    rows = {part: list(values.values()) for part, values in parts.items()}
    size = len(rows["generation"])
    gap, gap_interval = difference(rows["understanding"], rows["generation"], seed)
    deficit, deficit_interval = difference(rows["control"], rows["generation"], seed)
    num_questions = sum(kind is None or q.kind == kind for asked in judged.questions for q in asked)
    return Gap(
        judge=judged.judge,
        kind=kind or "",
        understanding=sum(rows["understanding"]) / size,
        generation=sum(rows["generation"]) / size,
        control=sum(rows["control"]) / size,
        gap=gap,
        gap_interval=gap_interval,
        deficit=deficit,
        deficit_interval=deficit_interval,
        num_items=size,
        num_questions=num_questions,
    )


def difference(first: Sequence[float], second: Sequence[float], seed: int) -> tuple[float, tuple[float, float] | None]:
    found = two_way_bootstrap_difference([first], [second], seed=seed, num_resamples=NUM_RESAMPLES)
    interval = found.interval
    if interval is None:
        return round(found.estimate, DECIMALS), None
    return round(found.estimate, DECIMALS), (round(interval.low, DECIMALS), round(interval.high, DECIMALS))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeError:
    """How far a judge of drawings errs against the exact verifier, over questions about the same drawings.

    `too_kind` is the share of all questions that the judge called answered as expected and the verifier did not, and
    `too_harsh` the reverse. `agreement` is 1 less both.
    """

    judge: str
    num_questions: int
    too_kind: float
    too_harsh: float
    yes_bias: float | None
    chance: float | None
    unread: float

    @property
    def agreement(self) -> float:
        return 1 - self.too_kind - self.too_harsh


def judge_error(judged: JudgedGap, truth: JudgedGap) -> JudgeError:
    """Raises ValueError where the two did not judge the same questions about the same items."""
    if judged.ids != truth.ids or judged.questions != truth.questions:
        raise ValueError("the judge and the verifier were not asked the same questions")
    pairs = [
        (said is True, true is True)
        for one, other in zip(judged.generation, truth.generation, strict=True)
        for said, true in zip(one.each, other.each, strict=True)
    ]
    lean = leaning(judged.questions, judged.generation)
    assert lean.unread is not None
    return JudgeError(
        judge=judged.judge,
        num_questions=len(pairs),
        too_kind=sum(said and not true for said, true in pairs) / len(pairs),
        too_harsh=sum(true and not said for said, true in pairs) / len(pairs),
        yes_bias=lean.yes_bias,
        chance=lean.chance,
        unread=lean.unread,
    )

"""The law of gradient norms and token counts, fitted to the intervention (claims 2 and 20 of the study).

A batch gives one point for each choice of cuts of its two pairs. A straight line of log ratio of norms on log ratio of
tokens is fitted within each batch, and the batches' lines are averaged: points of one batch share its two pairs and are
not independent, batches are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bifrons.diagnostics.cuts import Cut, CutBatch
from bifrons.diagnostics.estimate import Estimate, geometric_mean_of, mean_of, too_few
from bifrons.stats import Slope, log_log_slope

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """norm = factor * tokens ^ slope. For ratios `factor` is the ratio at equal token counts: what is left when the
    counts are taken out. `r_squared` is the mean over batches.
    """

    slope: Estimate
    factor: Estimate
    r_squared: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CutFigures:
    """All batches at one choice of cuts: mean token ratio, and geometric mean of the ratio of norms."""

    understanding: int | None
    generation: int | None
    tokens: Estimate
    ratio: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFit:
    """`ratio` is the law of |g_G| / |g_U|; `understanding` and `generation` those of each norm alone; `differing`
    counts only tokens after the first difference of chosen and rejected; `uncut` is the slope over whole pairs of
    different lengths, without an intervention. `skipped` counts points whose cut responses do not differ. `causal` is
    False where a cut scored the first places of drawings whose codes are drawn together.
    """

    num_batches: int
    ratio: Law
    understanding: Law
    generation: Law
    differing: Law
    uncut: Estimate
    cuts: tuple[CutFigures, ...]
    skipped: int
    causal: bool = True

    @property
    def verdict(self) -> str:
        """What the interval of the ratio's slope says of the token counts as a cause."""
        low, high = self.ratio.slope.low, self.ratio.slope.high
        if low is None or high is None:
            return "not testable"
        if low > 1:
            return "more than in proportion"
        if low <= 1 <= high:
            return "in proportion" if low > 0 else "not settled"
        if low > 0:
            return "less than in proportion"
        return "not driven by token counts" if high < 0 else "no effect seen"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict, "sentences": sentences(self)}


def fit_tokens(batches: Sequence[CutBatch]) -> TokenFit:
    every = [batch_points(batch) for batch in batches]
    possible = sum(len(batch.understanding) * len(batch.generation) for batch in batches)
    return TokenFit(
        num_batches=len(batches),
        ratio=law(every),
        understanding=law([own_points(batch.understanding) for batch in batches]),
        generation=law([own_points(batch.generation) for batch in batches]),
        differing=law([batch_points(batch, differing=True) for batch in batches]),
        uncut=uncut(batches),
        cuts=cut_table(batches),
        skipped=possible - sum(map(len, every)),
        causal=all(cut.causal for batch in batches for cut in (*batch.understanding, *batch.generation)),
    )


def batch_points(batch: CutBatch, *, differing: bool = False) -> list[Point]:
    """(token ratio, norm ratio) of every choice of cuts of one batch that leaves a difference in both tasks."""
    return [
        (count(g, differing) / count(u, differing), g.norm / u.norm)
        for u in batch.understanding
        for g in batch.generation
        if u.norm is not None and g.norm is not None
    ]


def own_points(cuts: Sequence[Cut]) -> list[Point]:
    return [(cut.tokens, cut.norm) for cut in cuts if cut.norm is not None]


def count(cut: Cut, differing: bool) -> float:
    return cut.differing if differing else cut.tokens


def law(points: Sequence[Sequence[Point]]) -> Law:
    """The mean of the batches' lines; batches with fewer than three points, or one token count, have none."""
    fits = [fit for own in points if (fit := line(own)) is not None]
    slopes = [fit.slope for fit in fits if fit.slope is not None]
    factors = [math.exp(fit.intercept) for fit in fits if fit.intercept is not None]
    explained = [fit.r_squared for fit in fits if fit.r_squared is not None]
    return Law(
        slope=mean_of(slopes, "batches with a line"),
        factor=geometric_mean_of(factors),
        r_squared=sum(explained) / len(explained) if explained else None,
    )


def line(points: Sequence[Point]) -> Slope | None:
    if len(points) < 3 or len({x for x, _ in points}) < 2:
        return None
    return log_log_slope([x for x, _ in points], [y for _, y in points])


def uncut(batches: Sequence[CutBatch]) -> Estimate:
    """Over whole pairs: an observation, since long answers differ from short ones in more than their length."""
    points = [
        (g.tokens / u.tokens, g.norm / u.norm)
        for u, g in ((batch.understanding[-1], batch.generation[-1]) for batch in batches)
        if u.norm is not None and g.norm is not None
    ]
    if len(points) < 3:
        return Estimate(value=None, n=len(points), reason=too_few(len(points), 3))
    found = log_log_slope([x for x, _ in points], [y for _, y in points])
    if found.slope is None or found.interval is None:
        return Estimate(value=None, n=found.n, reason="all pairs have one token ratio")
    return Estimate(value=found.slope, low=found.interval.low, high=found.interval.high, n=found.n)


def cut_table(batches: Sequence[CutBatch]) -> tuple[CutFigures, ...]:
    if not batches:
        return ()
    made: list[CutFigures] = []
    for i, u_cut in enumerate(batches[0].understanding):
        for j, g_cut in enumerate(batches[0].generation):
            seen = [(b.understanding[i], b.generation[j]) for b in batches]
            known = [(u, g, g.norm / u.norm) for u, g in seen if u.norm is not None and g.norm is not None]
            figures = CutFigures(
                understanding=u_cut.first,
                generation=g_cut.first,
                tokens=mean_of([g.tokens / u.tokens for u, g, _ in known]),
                ratio=geometric_mean_of([ratio for _, _, ratio in known]),
            )
            made.append(figures)
    return tuple(made)


VERDICTS = {
    "more than in proportion": "the norm ratio grows faster than the token ratio",
    "in proportion": "the norm ratio grows as the token ratio does; a slope of 1 lies within the interval",
    "less than in proportion": "token counts are a cause, but the norm ratio grows slower than the token ratio: the "
    "interval excludes both 0 and 1",
    "not driven by token counts": "the norm ratio falls where the token ratio grows",
    "no effect seen": "the interval holds 0, so no effect of token counts is seen, and a slope of 1 is excluded",
    "not settled": "the interval holds both 0 and 1",
    "not testable": "there is no slope",
}


def sentences(fit: TokenFit) -> list[str]:
    slope, factor = fit.ratio.slope, fit.ratio.factor
    if slope.value is None or slope.low is None or slope.high is None:
        return [f"No slope could be fitted: {slope.reason}."]
    text = (
        f"Slope of log norm ratio on log token ratio: {slope.value:.3f} [{slope.low:.3f}, {slope.high:.3f}] over "
        f"{slope.n} batches; {VERDICTS[fit.verdict]}. Norms of sums of aligned token gradients would give 1, of "
        "unrelated ones 0.5."
    )
    found = [text]
    if not fit.causal:
        found.append(
            "Codes are drawn together here: a cut scores the first places of the whole drawing, each with its share of "
            "the estimate, and makes no shorter drawing."
        )
    if fit.skipped:
        found.append(
            f"{fit.skipped} of {fit.num_batches * len(fit.cuts)} points are left out, because the first tokens of "
            "chosen and rejected are the same there and give no gradient."
        )
    if factor.value is not None and factor.low is not None and factor.high is not None:
        found.append(
            f"At equal token counts the generation gradient is {factor.value:.3g} [{factor.low:.3g}, "
            f"{factor.high:.3g}] times as long: the part of the ratio that token counts do not explain."
        )
    return found

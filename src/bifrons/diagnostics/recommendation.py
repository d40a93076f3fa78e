"""From the statistics of a diagnosis to weights, a strategy and the reasons, in words. A pure function: its rules are
the constants below and the order of its cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bifrons.diagnostics.estimate import Estimate
from bifrons.diagnostics.summary import GradientSummary
from bifrons.strategies import STRATEGIES

FEWEST_BATCHES = 10  # below this many usable batches nothing is recommended (ours)
MOST_UNUSABLE = 0.5  # nor where more than this share of batches has no usable gradient (ours)
BALANCED = 2.0  # a ratio whose interval lies within 1/2 .. 2 needs no balancing (ours)
STEADY = 0.5  # below this coefficient of variation one pair of weights serves all batches (ours)
CONFLICT_METHODS = ("pcgrad", "cagrad", "upgrad", "aligned_mtl", "nash_mtl", "fairgrad", "gradvac", "mgda")

Case = Literal["degenerate", "too few", "conflict", "aligned", "balanced", "dominated", "not settled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to train with. `weights` are (understanding, generation), normalised to sum 2; None where none can be
    named. `generation_share` is the share of the squared length of the plain sum that lies along generation.
    """

    case: Case
    strategy: str | None
    weights: tuple[float, float] | None
    generation_share: float | None
    sentences: tuple[str, ...]


def recommend(summary: GradientSummary) -> Recommendation:
    """The first case that fits, in this order: too few batches, no gradient, conflict, alignment, an unsettled cosine;
    then, for near-orthogonal gradients, balanced or dominated.
    """
    for fits in (too_few, degenerate):
        if (found := fits(summary)) is not None:
            return found
    cosine, ratio = summary.cosine, summary.ratio_geometric
    assert cosine.value is not None and ratio.value is not None, "both are there when there are ten usable batches"
    margin, low, high = summary.cosine_within.margin, *ends(cosine)
    case: Callable[[GradientSummary, float], Recommendation] = near_orthogonal
    if high < -margin:
        case = conflict
    elif low > margin:
        case = aligned
    elif not summary.cosine_within.holds and not -margin <= low <= high <= margin:
        case = not_settled
    return case(summary, ratio.value)


def too_few(summary: GradientSummary) -> Recommendation | None:
    if summary.num_batches >= FEWEST_BATCHES:
        return None
    return nothing(
        "too few",
        f"{summary.num_batches} batches are too few to recommend anything: it takes {FEWEST_BATCHES}, and the default "
        "of 200 gives intervals that settle most cases.",
    )


def degenerate(summary: GradientSummary) -> Recommendation | None:
    unusable = summary.num_batches - summary.num_usable
    if summary.num_usable >= FEWEST_BATCHES and unusable <= MOST_UNUSABLE * summary.num_batches:
        return None
    return nothing(
        "degenerate",
        f"No. In {unusable} of {summary.num_batches} batches a task has a gradient that is zero or not finite, so "
        "there is nothing to balance. Find the cause first: pairs whose two responses are the same to the model, an "
        "adapter that a task does not reach, or numbers that overflow.",
    )


def nothing(case: Case, sentence: str) -> Recommendation:
    return Recommendation(case=case, strategy=None, weights=None, generation_share=None, sentences=(sentence,))


def conflict(summary: GradientSummary, ratio: float) -> Recommendation:
    methods = [name for name in CONFLICT_METHODS if name in STRATEGIES]
    what = (
        f"The task gradients conflict: their mean cosine is {interval_text(summary.cosine)}, wholly below "
        f"-{summary.cosine_within.margin:g}. A step for one task undoes part of the other's."
    )
    methods_text = (
        f"Use a method that takes the conflict out: {', '.join(methods)}. `pcgrad` removes from each gradient the part "
        "that points against the other; it does not balance lengths."
    )
    sentences = [what, methods_text]
    if not is_balanced(summary.ratio_geometric):
        sentences.append(
            f"Lengths differ too: {dominance_text(summary, ratio)} After the projection the longer task still decides "
            f"the direction, so compare with weights {weights_text(balanced_weights(ratio))} (`gradient_weighted`)."
        )
    return made("conflict", "pcgrad", None, summary, ratio, sentences)


def aligned(summary: GradientSummary, ratio: float) -> Recommendation:
    what = (
        f"The task gradients help each other: their mean cosine is {interval_text(summary.cosine)}, wholly above "
        f"{summary.cosine_within.margin:g}. There is no conflict to solve."
    )
    sentences = [what]
    if is_balanced(summary.ratio_geometric):
        sentences.append(f"Their lengths are alike ({ratio_text(summary)}): `naive_joint`, weights 1 : 1, is fine.")
        return made("aligned", "naive_joint", (1.0, 1.0), summary, ratio, sentences)
    sentences.append(f"{dominance_text(summary, ratio)} {strategy_text(summary, ratio)}")
    return made("aligned", steady_strategy(summary), balanced_weights(ratio), summary, ratio, sentences)


def not_settled(summary: GradientSummary, ratio: float) -> Recommendation:
    margin, (low, high), value = summary.cosine_within.margin, ends(summary.cosine), summary.cosine.value
    assert value is not None
    what = (
        "Whether the gradients conflict is not settled: the interval of their mean cosine, "
        f"{interval_text(summary.cosine)}, crosses {'-' if low < -margin else ''}{margin:g}."
    )
    sentences = [what]
    if abs(value) < margin:
        needed = math.ceil(summary.cosine.n * ((high - low) / 2 / (margin - abs(value))) ** 2)
        sentences.append(f"About {needed} batches would settle it if the mean stays where it is.")
    if is_balanced(summary.ratio_geometric):
        sentences.append(f"Lengths are alike ({ratio_text(summary)}), so `naive_joint` is the place to start.")
        return made("not settled", "naive_joint", (1.0, 1.0), summary, ratio, sentences)
    sentences.append(f"Lengths do not wait for that: {dominance_text(summary, ratio)} {strategy_text(summary, ratio)}")
    return made("not settled", steady_strategy(summary), balanced_weights(ratio), summary, ratio, sentences)


def near_orthogonal(summary: GradientSummary, ratio: float) -> Recommendation:
    what = (
        f"The task gradients are near-orthogonal: their mean cosine is {interval_text(summary.cosine)}, within "
        f"±{summary.cosine_within.margin:g}. They do not fight over directions, and methods against conflict, such as "
        "`pcgrad`, have nothing to take out on average."
    )
    sentences = [what]
    if is_balanced(summary.ratio_geometric):
        sentences.append(
            f"Their lengths are alike ({ratio_text(summary)}), so neither drowns the other: `naive_joint`, weights "
            "1 : 1, is fine."
        )
        return made("balanced", "naive_joint", (1.0, 1.0), summary, ratio, sentences)
    sentences.append(f"{dominance_text(summary, ratio)} {strategy_text(summary, ratio)}")
    return made("dominated", steady_strategy(summary), balanced_weights(ratio), summary, ratio, sentences)


def made(
    case: Case,
    strategy: str,
    weights: tuple[float, float] | None,
    summary: GradientSummary,
    ratio: float,
    sentences: list[str],
) -> Recommendation:
    cosine = summary.cosine.value
    assert cosine is not None
    share = along_generation(ratio, cosine) ** 2
    return Recommendation(
        case=case, strategy=strategy, weights=weights, generation_share=share, sentences=tuple(sentences)
    )


def balanced_weights(ratio: float) -> tuple[float, float]:
    """(w_U, w_G) with w_U : w_G = ratio : 1 and sum 2, so that both weighted gradients are equally long (Eq. 8, 9)."""
    return 2 * ratio / (1 + ratio), 2 / (1 + ratio)


def along_generation(ratio: float, cosine: float) -> float:
    """The cosine of the angle between g_U + g_G and g_G, from |g_G| / |g_U| and the cosine of the two (Eq. 7).

    For orthogonal gradients the angle is arctan(|g_U| / |g_G|), about |g_U| / |g_G|.
    """
    length = math.sqrt(1 + 2 * cosine * ratio + ratio**2)
    return (ratio + cosine) / length if length > 0 else 0.0


def is_balanced(ratio: Estimate) -> bool:
    low, high = ends(ratio)
    return low >= 1 / BALANCED and high <= BALANCED


def steady_strategy(summary: GradientSummary) -> str:
    """One pair of weights where the ratio hardly varies, weights from running medians where it does."""
    variation = summary.ratio_variation.value
    return "fixed_weight" if variation is not None and variation < STEADY else "gradient_weighted_smoothed"


def strategy_text(summary: GradientSummary, ratio: float) -> str:
    weights = weights_text(balanced_weights(ratio))
    variation, tokens = summary.ratio_variation.value, summary.tokens.value
    spread = "an unknown amount" if variation is None else f"a coefficient of variation of {variation:.2f}"
    text = f"Weigh them {weights}. The ratio varies over batches by {spread}, "
    if steady_strategy(summary) == "fixed_weight":
        text += "so these weights can be held from the first step (`fixed_weight`)"
    else:
        text += "too much for one batch to set the weights of the next: use `gradient_weighted_smoothed`"
    low, high = ends(summary.ratio_geometric)
    if tokens is not None and low <= tokens <= high:
        text += (
            f"; the token ratio, {tokens:.3g}, lies within the ratio's interval, so `length_normalized` does the same"
        )
    elif tokens is not None:
        name, other = weights_text(balanced_weights(tokens)), "less" if tokens < ratio else "more"
        text += f"; `length_normalized` would weigh {name}, {other} than the gradients ask for"
    return f"{text}."


def dominance_text(summary: GradientSummary, ratio: float) -> str:
    cosine = summary.cosine.value
    assert cosine is not None
    towards = along_generation(ratio, cosine)
    longer, times, share = "generation", ratio, towards**2
    if ratio < 1:
        longer, times, share = "understanding", 1 / ratio, along_generation(1 / ratio, cosine) ** 2
        towards = along_generation(1 / ratio, cosine)
    angle = math.degrees(math.acos(max(-1.0, min(1.0, towards))))
    return (
        f"The {longer} gradient is {times:.3g} times as long ({ratio_text(summary)}), so the plain sum is {longer}'s: "
        f"{100 * share:.1f}% of its squared length lies along it, at an angle of {angle:.1f} degrees (Eq. 7)."
    )


def weights_text(weights: tuple[float, float]) -> str:
    return f"w_U : w_G = {weights[0]:.3f} : {weights[1]:.3f}"


def ratio_text(summary: GradientSummary) -> str:
    return f"|g_G| / |g_U| {interval_text(summary.ratio_geometric)}, geometric mean"


def interval_text(figure: Estimate) -> str:
    assert figure.value is not None
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g} ({figure.reason})"
    return f"{figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"


def ends(figure: Estimate) -> tuple[float, float]:
    """The interval; where all values are equal, the value itself twice."""
    assert figure.value is not None
    low, high = figure.low, figure.high
    return (figure.value, figure.value) if low is None or high is None else (low, high)

"""Equivalence by two one-sided t-tests (TOST), and the verdict in words.

A difference that is not significant is not thereby absent: only an equivalence test, with a margin declared before the
run, can say that two methods are alike (Schuirmann 1987; Lakens 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bifrons.stats.compare import Comparison
from bifrons.stats.describe import Interval
from bifrons.stats.distributions import student_t_critical, student_t_two_sided, student_t_upper_tail
from bifrons.stats.sample import positive_number

EquivalenceVerdict = Literal["equivalent", "different", "different but within the margin", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests of |true delta| < margin, and the ordinary test of delta = 0, at one alpha.

    `t_lower` tests delta > -margin, `t_upper` tests delta < margin; `p` is the larger of their one-sided p values.
    `interval` has level 1 - 2 * alpha: it lies within the margin exactly when p < alpha. Margin, delta and interval
    are in raw units. Without variance the statistics and the verdict are None and `reason` says why.
    """

    delta: float
    margin: float
    alpha: float
    t_lower: float | None
    t_upper: float | None
    p: float | None
    p_difference: float | None
    interval: Interval | None
    verdict: EquivalenceVerdict | None
    reason: str | None = None


def tost(comparison: Comparison, *, margin: float, alpha: float = 0.05) -> Equivalence:
    """Test a Welch, paired or one-sample comparison for equivalence within -margin .. margin, in raw units.

    ValueError when the margin is not above zero or alpha does not lie in 0 .. 0.5. For a margin in standard
    deviations see `margin_in_raw_units`.
    """
    positive_number(margin, "margin")
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie strictly between 0 and 0.5, not {alpha}")
    delta, error, df = comparison.delta, comparison.standard_error, comparison.df
    if df is None or error == 0.0:
        return Equivalence(delta, margin, alpha, None, None, None, None, None, None, comparison.reason)
    t_lower, t_upper = (delta + margin) / error, (delta - margin) / error
    p = max(student_t_upper_tail(t_lower, df), student_t_upper_tail(-t_upper, df))
    p_difference = student_t_two_sided(delta / error, df)
    reach = student_t_critical(2.0 * alpha, df) * error
    return Equivalence(
        delta=delta,
        margin=float(margin),
        alpha=alpha,
        t_lower=t_lower,
        t_upper=t_upper,
        p=p,
        p_difference=p_difference,
        interval=Interval(delta - reach, delta + reach, 1.0 - 2.0 * alpha),
        verdict=_verdict(within=p < alpha, differs=p_difference < alpha),
    )


def margin_in_raw_units(standard_deviations: float, *, standard_deviation: float) -> float:
    """A margin given in standard deviations, such as 0.2, in raw units.

    Pass the baseline's standard deviation over items for paired tests too: that of the differences shrinks as the
    pairs correlate, and the margin would shrink with it. ValueError when either figure is not above zero.
    """
    return positive_number(standard_deviations, "standard_deviations") * positive_number(
        standard_deviation, "standard_deviation"
    )


def _verdict(*, within: bool, differs: bool) -> EquivalenceVerdict:
    if within:
        return "different but within the margin" if differs else "equivalent"
    return "different" if differs else "inconclusive"

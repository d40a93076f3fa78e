"""Smallest detectable effect of a t-test: what a study of this size could have seen.

The tests are two-sided and count both tails, by noncentral t (Cohen 1988). The effect is a planning figure from sizes
and standard deviations alone, never computed from an observed delta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bifrons.stats.compare import TestName
from bifrons.stats.distributions import noncentral_t_two_sided, root_between, student_t_critical
from bifrons.stats.sample import count, finite_number, open_probability, positive_number


@dataclass(frozen=True, slots=True)
class DetectableEffect:
    """The true difference that a test finds with the given power at two-sided alpha.

    `in_standard_deviations` is in the unit of the test's Cohen's d; `raw` is in the metric's units, or None when no
    standard deviation was given.
    """

    test: TestName
    in_standard_deviations: float
    raw: float | None
    df: float
    alpha: float
    power: float


def power_of_t_test(*, noncentrality: float, df: float, alpha: float = 0.05) -> float:
    """Probability that a two-sided t-test rejects at alpha when true delta / standard error is `noncentrality`."""
    finite_number(noncentrality, "noncentrality")
    critical = student_t_critical(open_probability(alpha, "alpha"), positive_number(df, "df"))
    return noncentral_t_two_sided(critical, df, abs(noncentrality))


def smallest_detectable_welch(
    num_treatment: int,
    num_baseline: int,
    *,
    standard_deviations: tuple[float, float] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> DetectableEffect:
    """Smallest effect for Welch's test of two independent samples; deviations are (treatment, baseline).

    Without standard deviations both samples are taken to have the same. ValueError when both are zero.
    """
    count(num_treatment, "num_treatment")
    count(num_baseline, "num_baseline")
    first, second = (1.0, 1.0) if standard_deviations is None else standard_deviations
    if min(finite_number(first, "standard_deviations"), finite_number(second, "standard_deviations")) < 0.0:
        raise ValueError(f"standard_deviations must not be negative, got {standard_deviations}")
    unit = positive_number(math.hypot(first, second) / math.sqrt(2.0), "at least one of standard_deviations")
    error_first, error_second = first / unit / math.sqrt(num_treatment), second / unit / math.sqrt(num_baseline)
    error = math.hypot(error_first, error_second)
    share, other = (error_first / error) ** 2, (error_second / error) ** 2
    df = 1.0 / (share**2 / (num_treatment - 1) + other**2 / (num_baseline - 1))
    return _detectable("welch", error, df, None if standard_deviations is None else unit, alpha, power)


def smallest_detectable_paired(
    num_pairs: int,
    *,
    standard_deviation_of_differences: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> DetectableEffect:
    """Smallest effect for the paired test, in standard deviations of the differences."""
    unit = standard_deviation_of_differences
    if unit is not None:
        positive_number(unit, "standard_deviation_of_differences")
    error = 1.0 / math.sqrt(count(num_pairs, "num_pairs"))
    return _detectable("paired", error, num_pairs - 1, unit, alpha, power)


def smallest_detectable_one_sample(
    num_values: int, *, standard_deviation: float | None = None, alpha: float = 0.05, power: float = 0.8
) -> DetectableEffect:
    """Smallest distance from the null value for the one-sample test."""
    if standard_deviation is not None:
        positive_number(standard_deviation, "standard_deviation")
    error = 1.0 / math.sqrt(count(num_values, "num_values"))
    return _detectable("one-sample", error, num_values - 1, standard_deviation, alpha, power)


def _detectable(
    test: TestName, error: float, df: float, unit: float | None, alpha: float, power: float
) -> DetectableEffect:
    """Solve power(noncentrality) = power; `error` is the standard error in standard deviations."""
    critical = student_t_critical(open_probability(alpha, "alpha"), df)
    if open_probability(power, "power") <= alpha:
        raise ValueError(f"power must be above alpha: no effect at all already gives {alpha}, and {power} was asked")

    def shortfall(noncentrality: float) -> float:
        return noncentral_t_two_sided(critical, df, noncentrality) - power

    high = 1.0
    while shortfall(high) < 0.0:
        high *= 2.0
        assert math.isfinite(high), "power rises to one with the effect"
    effect = root_between(shortfall, 0.0, high) * error
    return DetectableEffect(test, effect, None if unit is None else effect * unit, float(df), alpha, power)

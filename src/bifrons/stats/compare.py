"""Differences of means: Welch's test, the paired test and the one-sample test, with intervals and effect sizes.

Convention: where there is no variance to test against, the delta stands, `t`, `df`, `p`, `cohens_d` and `interval` are
None, and `reason` says why. A test is never answered with a zero or an infinity instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from bifrons.stats.describe import Interval, Moments, moments_of, moments_of_sample
from bifrons.stats.distributions import student_t_critical, student_t_two_sided
from bifrons.stats.sample import finite_number, finite_pairs, largest_magnitude, open_probability

TestName = Literal["welch", "paired", "one-sample"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A t-test of one difference; delta, standard error and interval are in raw units, p is two-sided.

    `cohens_d` is delta over a standard deviation: the root mean square of both samples' for Welch, that of the
    differences for a paired test (often written d_z, and larger than Welch's when the pairs correlate), and the
    sample's own for a one-sample test. `reason` is None when every field is defined.
    """

    test: TestName
    delta: float
    standard_error: float
    t: float | None
    df: float | None
    p: float | None
    interval: Interval | None
    cohens_d: float | None
    reason: str | None = None


def welch(treatment: ArrayLike, baseline: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Welch's unequal-variance t-test of mean(treatment) - mean(baseline), two independent samples of shape [n]."""
    return welch_from_moments(moments_of(treatment, "treatment"), moments_of(baseline, "baseline"), level=level)


def welch_from_moments(treatment: Moments, baseline: Moments, *, level: float = 0.95) -> Comparison:
    """Welch's test from moments alone, with Welch-Satterthwaite degrees of freedom (arXiv 2603.17044, Table 8)."""
    delta = treatment.mean - baseline.mean
    error = math.hypot(treatment.standard_error, baseline.standard_error)
    if error == 0.0:
        return _undefined("welch", delta, level, "both samples have zero variance")
    # Shares of the squared error, so that neither very small nor very large units underflow or overflow.
    share, other = (treatment.standard_error / error) ** 2, (baseline.standard_error / error) ** 2
    df = 1.0 / (share**2 / (treatment.n - 1) + other**2 / (baseline.n - 1))
    return _student("welch", delta, error, df, root_mean_square_deviation(treatment, baseline), level)


def paired(treatment: ArrayLike, baseline: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Paired t-test of mean(treatment - baseline); position i of both samples, shape [n], is the same item."""
    first, second = finite_pairs(treatment, "treatment", baseline, "baseline")
    differences = moments_of_sample(first - second, scale=largest_magnitude(first, second))
    if differences.std == 0.0:
        return _undefined("paired", differences.mean, level, f"all {differences.n} differences are equal")
    return _student("paired", differences.mean, differences.standard_error, differences.n - 1, differences.std, level)


def one_sample(values: ArrayLike, *, null: float = 0.0, level: float = 0.95) -> Comparison:
    """One-sample t-test of mean(values) - null, shape [n]; delta and interval are measured from `null`."""
    return one_sample_from_moments(moments_of(values), null=null, level=level)


def one_sample_from_moments(moments: Moments, *, null: float = 0.0, level: float = 0.95) -> Comparison:
    """The one-sample t-test from moments alone."""
    delta = moments.mean - finite_number(null, "null")
    if moments.std == 0.0:
        return _undefined("one-sample", delta, level, f"all {moments.n} values are equal")
    return _student("one-sample", delta, moments.standard_error, moments.n - 1, moments.std, level)


def cohens_d(treatment: Moments, baseline: Moments) -> float | None:
    """Cohen's d = delta / sqrt((s1^2 + s2^2) / 2), sizes not weighed in (arXiv 2603.17044); None without variance."""
    deviation = root_mean_square_deviation(treatment, baseline)
    return (treatment.mean - baseline.mean) / deviation if deviation > 0.0 else None


def root_mean_square_deviation(treatment: Moments, baseline: Moments) -> float:
    """sqrt((s1^2 + s2^2) / 2), the unit of Cohen's d."""
    return math.hypot(treatment.std, baseline.std) / math.sqrt(2.0)


def _student(
    test: TestName, delta: float, standard_error: float, df: float, deviation: float, level: float
) -> Comparison:
    reach = student_t_critical(1.0 - open_probability(level, "level"), df) * standard_error
    t = delta / standard_error
    return Comparison(
        test=test,
        delta=delta,
        standard_error=standard_error,
        t=t,
        df=float(df),
        p=student_t_two_sided(t, df),
        interval=Interval(delta - reach, delta + reach, level),
        cohens_d=delta / deviation,
    )


def _undefined(test: TestName, delta: float, level: float, reason: str) -> Comparison:
    open_probability(level, "level")
    return Comparison(
        test, delta, standard_error=0.0, t=None, df=None, p=None, interval=None, cohens_d=None, reason=reason
    )

"""Mean, standard deviation, standard error and Student-t interval of one sample, from its values or its moments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bifrons.stats.distributions import student_t_critical
from bifrons.stats.sample import (
    FloatArray,
    count,
    finite_number,
    finite_sample,
    is_constant,
    largest_magnitude,
    open_probability,
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included, at a two-sided level such as 0.95."""

    low: float
    high: float
    level: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Moments:
    """What a published table gives of a sample: its mean, its standard deviation (ddof=1) and its size.

    ValueError when n is below 2, the standard deviation negative, or either figure not finite.
    """

    mean: float
    std: float
    n: int

    def __post_init__(self) -> None:
        finite_number(self.mean, "mean")
        if finite_number(self.std, "std") < 0.0:
            raise ValueError(f"std must not be negative, got {self.std}")
        count(self.n, "n")

    @property
    def standard_error(self) -> float:
        """The standard error of the mean, std / sqrt(n)."""
        return self.std / math.sqrt(self.n)


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample described: its moments, standard error and interval of the mean, in the sample's own units.

    With zero variance the interval shrinks to the mean; that is the formula's answer, and no evidence of certainty.
    """

    mean: float
    std: float
    n: int
    standard_error: float
    interval: Interval


def moments_of(values: ArrayLike, name: str = "values") -> Moments:
    """Mean, standard deviation (ddof=1) and size of a sample, shape [n], n >= 2.

    Equal values give their value and exactly zero, without rounding error. ValueError names the sample by `name`.
    """
    return moments_of_sample(finite_sample(values, name))


def moments_of_sample(sample: FloatArray, scale: float | None = None) -> Moments:
    """Moments of a checked sample; `scale` is the magnitude of the numbers it was computed from (see `is_constant`)."""
    size = int(sample.size)
    if is_constant(sample, scale):
        return Moments(mean=float(np.median(sample)), std=0.0, n=size)
    unit = largest_magnitude(sample)  # keeps squares in range for values near the ends of float64
    scaled = sample / unit
    return Moments(mean=float(np.mean(scaled)) * unit, std=float(np.std(scaled, ddof=1)) * unit, n=size)


def summarise(values: ArrayLike, *, level: float = 0.95, name: str = "values") -> Summary:
    """Describe a sample, shape [n], n >= 2, with a Student-t interval of its mean; values are taken as independent."""
    return summarise_moments(moments_of(values, name), level=level)


def summarise_moments(moments: Moments, *, level: float = 0.95) -> Summary:
    """Describe a sample of which only the moments are known: mean -+ t(level, n - 1) * std / sqrt(n)."""
    error = moments.standard_error
    reach = student_t_critical(1.0 - open_probability(level, "level"), moments.n - 1) * error
    interval = Interval(moments.mean - reach, moments.mean + reach, level)
    return Summary(moments.mean, moments.std, moments.n, error, interval)

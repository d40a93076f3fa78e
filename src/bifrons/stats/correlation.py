"""Pearson and Spearman correlation with intervals, and correlation within and across groups.

A correlation without variance is undefined: `r`, `p` and `interval` are None and `reason` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bifrons.stats.describe import Interval, moments_of_sample
from bifrons.stats.distributions import normal_critical, student_t_two_sided
from bifrons.stats.sample import FloatArray, finite_pairs, is_constant, largest_magnitude, open_probability

_MINIMUM = 4  # Fisher's interval divides by n - 3


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation coefficient with its two-sided p against zero (Student's t) and Fisher interval."""

    r: float | None
    p: float | None
    interval: Interval | None
    n: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class GroupedCorrelation:
    """Correlation of pairs that fall into groups, such as length and score of the answers of several methods.

    `pooled` ignores the groups; `across` correlates the group means, one point a group; `within` subtracts each group's
    means first, at the cost of one degree of freedom a group; `by_group` holds each group alone, in order of first
    appearance.
    """

    pooled: Correlation
    within: Correlation
    across: Correlation
    by_group: dict[str, Correlation]


def pearson(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Correlation:
    """Pearson correlation, shape [n], n >= 4, with Fisher's interval tanh(atanh(r) -+ z / sqrt(n - 3))."""
    first, second = finite_pairs(x, "x", y, "y", _MINIMUM)
    return _correlate(first, second, level)


def spearman(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Correlation:
    """Spearman rank correlation, shape [n], n >= 4; ties share their average rank.

    p is by Student's t, which is approximate; the interval is Fisher's with the variance (1 + r^2 / 2) / (n - 3) of
    Bonett and Wright (2000).
    """
    first, second = finite_pairs(x, "x", y, "y", _MINIMUM)
    return _correlate(average_ranks(first), average_ranks(second), level, ranks=True)


def grouped_correlation(
    x: ArrayLike, y: ArrayLike, groups: Sequence[str], *, level: float = 0.95
) -> GroupedCorrelation:
    """Pearson correlation of x and y, shape [n], pooled, within groups, across groups and of each group.

    `groups` names the group of each pair. A part with too few points (four pairs, four groups) is undefined, with a
    reason. Pairs are taken as independent; several seeds that answer one image are not, and make p and interval too
    sure. ValueError when the lengths differ or n < 4.
    """
    first, second = finite_pairs(x, "x", y, "y", _MINIMUM)
    if len(groups) != first.size:
        raise ValueError(f"groups holds {len(groups)} names for {first.size} pairs")
    names = list(dict.fromkeys(groups))
    members = {name: np.asarray([group == name for group in groups], dtype=np.bool_) for name in names}
    scale = largest_magnitude(first), largest_magnitude(second)
    means = [np.asarray([_mean(values[members[name]]) for name in names]) for values in (first, second)]
    centred = [values.copy() for values in (first, second)]
    for name, *centre in zip(names, *means, strict=True):
        for values, mean in zip(centred, centre, strict=True):
            values[members[name]] -= mean
    return GroupedCorrelation(
        pooled=_correlate(first, second, level),
        within=_correlate(centred[0], centred[1], level, num_groups=len(names), scale=scale),
        across=_correlate(means[0], means[1], level, scale=scale),
        by_group={name: _correlate(first[where], second[where], level) for name, where in members.items()},
    )


def average_ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 up, shape [n]; equal values share the mean of the ranks they span."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return np.asarray(ranks[inverse], dtype=np.float64)


def _mean(values: FloatArray) -> float:
    """The mean, also of a single value."""
    return float(values[0]) if values.size == 1 else moments_of_sample(values).mean


def _correlate(
    x: FloatArray,
    y: FloatArray,
    level: float,
    *,
    ranks: bool = False,
    num_groups: int = 1,
    scale: tuple[float, float] | None = None,
) -> Correlation:
    """Correlation of two checked samples; centring `num_groups` groups rather than one costs degrees of freedom."""
    open_probability(level, "level")
    size = int(x.size)
    effective = size - (num_groups - 1)
    if effective < _MINIMUM:
        lacking = f"{size} points" + (f" in {num_groups} groups" if num_groups > 1 else "")
        return Correlation(None, None, None, size, f"{lacking}; at least {_MINIMUM + num_groups - 1} are needed")
    for name, values, magnitude in zip("xy", (x, y), scale or (None, None), strict=True):
        if is_constant(values, magnitude):
            return Correlation(None, None, None, size, f"{name} does not vary")
    a, b = (values - moments_of_sample(values).mean for values in (x, y))
    a, b = a / largest_magnitude(a), b / largest_magnitude(b)
    r = float(np.dot(a, b)) / math.sqrt(float(np.dot(a, a)) * float(np.dot(b, b)))
    r = max(-1.0, min(1.0, r))
    df = effective - 2
    unexplained = (1.0 - r) * (1.0 + r)
    if unexplained == 0.0:
        return Correlation(r, 0.0, Interval(r, r, level), size)
    p = student_t_two_sided(r * math.sqrt(df / unexplained), df)
    variance = (1.0 + r * r / 2.0 if ranks else 1.0) / (effective - 3)
    reach = normal_critical(1.0 - level) * math.sqrt(variance)
    centre = math.atanh(r)
    return Correlation(r, p, Interval(math.tanh(centre - reach), math.tanh(centre + reach), level), size)

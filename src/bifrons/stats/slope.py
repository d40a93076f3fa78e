"""Least-squares slopes with Student-t intervals, on raw and on logarithmic axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bifrons.stats.describe import Interval, moments_of_sample
from bifrons.stats.distributions import student_t_critical
from bifrons.stats.sample import FloatArray, finite_pairs, is_constant, largest_magnitude, open_probability


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight line fitted by ordinary least squares, y = intercept + slope * x.

    `r_squared` is None when y does not vary. When x does not vary, everything but n is None and `reason` says why.
    """

    slope: float | None
    intercept: float | None
    standard_error: float | None
    interval: Interval | None
    r_squared: float | None
    n: int
    reason: str | None = None


def linear_slope(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Slope:
    """Ordinary least squares of y on x, shape [n], n >= 3; the slope's interval is Student's t with n - 2 degrees."""
    first, second = finite_pairs(x, "x", y, "y", minimum=3)
    return _fit(first, second, level)


def log_log_slope(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Slope:
    """Slope of log y on log x, shape [n], n >= 3: the exponent of a power law y = exp(intercept) * x^slope.

    A ratio of gradient norms that is driven by token counts alone has slope 1 on the ratio of counts. Points are taken
    as independent. ValueError when a value is not above zero.
    """
    first, second = finite_pairs(x, "x", y, "y", minimum=3)
    for name, values in (("x", first), ("y", second)):
        if float(np.min(values)) <= 0.0:
            raise ValueError(f"{name} holds {float(np.min(values))}; a logarithm needs values above zero")
    return _fit(np.log(first), np.log(second), level)


def _fit(x: FloatArray, y: FloatArray, level: float) -> Slope:
    open_probability(level, "level")
    size = int(x.size)
    if is_constant(x):
        return Slope(None, None, None, None, None, size, "x does not vary")
    mean_x, mean_y = moments_of_sample(x).mean, moments_of_sample(y).mean
    dx, dy = x - mean_x, y - mean_y
    unit_x, unit_y = largest_magnitude(dx), largest_magnitude(dy) or 1.0
    a, b = dx / unit_x, dy / unit_y
    slope = float(np.dot(a, b) / np.dot(a, a))
    residual = float(np.sum((b - slope * a) ** 2))
    total = float(np.dot(b, b))
    error = math.sqrt(residual / (size - 2) / float(np.dot(a, a)))
    unit = unit_y / unit_x
    reach = student_t_critical(1.0 - level, size - 2) * error
    return Slope(
        slope=slope * unit,
        intercept=mean_y - slope * unit * mean_x,
        standard_error=error * unit,
        interval=Interval((slope - reach) * unit, (slope + reach) * unit, level),
        r_squared=None if total == 0.0 else 1.0 - residual / total,
        n=size,
    )

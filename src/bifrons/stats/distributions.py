"""Tails and quantiles of Student's t, central and noncentral, and of the normal: the one file that calls SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize as scipy_optimize  # pyright: ignore[reportMissingTypeStubs]
from scipy import special as scipy_special  # pyright: ignore[reportMissingTypeStubs]

# SciPy ships no type stubs, so every result is turned into a float or an array here, at the boundary.
_optimize = cast(Any, scipy_optimize)
_special = cast(Any, scipy_special)

_TAIL = 1e-16
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(128)


def student_t_upper_tail(t: float, df: float) -> float:
    """P(T > t), taken from the lower tail at -t so that a small probability keeps all its digits."""
    return float(_special.stdtr(df, -t))


def student_t_two_sided(t: float, df: float) -> float:
    """P(|T| > |t|)."""
    return min(1.0, 2.0 * student_t_upper_tail(abs(t), df))


def student_t_critical(two_sided: float, df: float) -> float:
    """The value that |T| exceeds with probability `two_sided`."""
    return -float(_special.stdtrit(df, two_sided / 2.0))


def normal_critical(two_sided: float) -> float:
    """The value that a standard normal exceeds in magnitude with probability `two_sided`."""
    return -float(_special.ndtri(two_sided / 2.0))


def noncentral_t_two_sided(critical: float, df: float, noncentrality: float) -> float:
    """P(|T'| > critical) for noncentral t, by Gauss-Legendre quadrature over the scaled chi variable.

    T' = (Z + noncentrality) / W with W = sqrt(chi2 / df), so given W the probability is two normal tails. SciPy's own
    noncentral t returns NaN in the far tail, which a search for a detectable effect runs through.
    """
    half = df / 2.0
    low = math.sqrt(float(_special.gammaincinv(half, _TAIL)) / half)
    high = math.sqrt(float(_special.gammainccinv(half, _TAIL)) / half)
    # The integrand steps from one to zero at W = noncentrality / critical, within a few times 1 / critical.
    step, width = abs(noncentrality) / critical, 8.0 / critical
    knots = sorted({low, high, *(min(max(knot, low), high) for knot in (1.0, step - width, step, step + width))})
    log_constant = math.log(2.0) + half * math.log(half) - math.lgamma(half)
    total = 0.0
    # Over log W, where the density is smooth at zero for every df.
    for left, right in pairwise(math.log(knot) for knot in knots):
        log_w = left + (right - left) * (_NODES + 1.0) / 2.0
        w = np.exp(log_w)
        density = np.exp(log_constant + df * log_w - half * w * w)
        tails = _normal_cdf(noncentrality - critical * w) + _normal_cdf(-noncentrality - critical * w)
        total += float(np.sum(_NODE_WEIGHTS * density * tails)) * (right - left) / 2.0
    return min(1.0, total)


def root_between(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of a continuous function whose signs differ at `low` and `high`, by Brent's method."""
    return float(_optimize.brentq(function, low, high, xtol=1e-12, rtol=1e-13))


def _normal_cdf(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_special.ndtr(values), dtype=np.float64)

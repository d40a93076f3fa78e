"""A figure with its interval and a test with its p, or the reason why there is none: never a 0 or a NaN instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bifrons.stats import Comparison, block_bootstrap, moments_of, summarise, tost

NUM_RESAMPLES = 4000
_CELLS_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95% interval over n batches. What is None has its `reason`."""

    value: float | None
    low: float | None = None
    high: float | None = None
    std: float | None = None
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A t-test: difference with its 95% interval, t, degrees of freedom, two-sided p and Cohen's d. What is None has
    its `reason`.
    """

    __test__ = False  # the name says what it is; pytest need not collect it

    delta: float | None
    low: float | None = None
    high: float | None = None
    t: float | None = None
    df: float | None = None
    p: float | None = None
    cohens_d: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Whether a mean lies within -margin .. margin (two one-sided tests at 5%). `verdict` is None with a `reason`."""

    margin: float
    p: float | None = None
    verdict: str | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.verdict in ("equivalent", "different but within the margin")


def too_few(n: int, needed: int = 2, what: str = "batches") -> str:
    return f"{n} usable {what}, and it needs {needed}"


def mean_of(values: Sequence[float], what: str = "batches") -> Estimate:
    """Mean with Student's interval; values are taken as independent."""
    if len(values) < 2:
        return Estimate(value=None, n=len(values), reason=too_few(len(values), what=what))
    found = summarise(values)
    if found.std == 0:
        return Estimate(value=found.mean, n=found.n, reason=f"no interval: all {found.n} values are equal")
    return Estimate(value=found.mean, low=found.interval.low, high=found.interval.high, std=found.std, n=found.n)


def geometric_mean_of(values: Sequence[float]) -> Estimate:
    """Geometric mean of values above 0 with Student's interval on the logarithms; `std` is that of the logarithms."""
    logs = mean_of([math.log(value) for value in values])
    low, high = (None if end is None else math.exp(end) for end in (logs.low, logs.high))
    value = None if logs.value is None else math.exp(logs.value)
    return Estimate(value=value, low=low, high=high, std=logs.std, n=logs.n, reason=logs.reason)


def mean_of_series(values: Sequence[float], seed: int = 0, what: str = "batches") -> Estimate:
    """Mean with a block bootstrap's interval: neighbours in a series may depend on each other."""
    if len(values) < 4:
        return Estimate(value=None, n=len(values), reason=too_few(len(values), 4, what))
    found = block_bootstrap(values, seed=seed, num_resamples=NUM_RESAMPLES)
    if found.interval is None:
        return Estimate(value=found.estimate, n=found.num_values, reason=f"no interval: {found.reason}")
    std = moments_of(values).std
    return Estimate(value=found.estimate, low=found.interval.low, high=found.interval.high, std=std, n=found.num_values)


def variation_of(values: Sequence[float], seed: int = 0) -> Estimate:
    """Coefficient of variation, standard deviation (ddof=1) over mean, with a percentile bootstrap's interval."""

    def variation(samples: NDArray[np.float64]) -> NDArray[np.float64]:
        return samples.std(axis=-1, ddof=1) / samples.mean(axis=-1)

    if len(values) < 3:
        return Estimate(value=None, n=len(values), reason=too_few(len(values), 3))
    sample = np.asarray(values, dtype=np.float64)
    if float(np.ptp(sample)) == 0:
        return Estimate(value=None, n=len(values), reason=f"all {len(values)} values are equal")
    if float(sample.min()) <= 0 <= float(sample.max()):
        return Estimate(value=None, n=len(values), reason="values on both sides of 0 have no coefficient of variation")
    low, high = bootstrap_interval(sample, variation, seed)
    return Estimate(value=float(variation(sample)), low=low, high=high, n=len(values))


def bootstrap_interval(
    sample: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int
) -> tuple[float, float]:
    """Ends of the 95% percentile interval of `statistic`, which maps [resamples, n] to [resamples]."""
    rng, size = np.random.default_rng(seed), len(sample)
    rows = max(1, _CELLS_AT_ONCE // size)
    parts = [
        statistic(sample[rng.integers(0, size, (min(rows, NUM_RESAMPLES - start), size))])
        for start in range(0, NUM_RESAMPLES, rows)
    ]
    ends = np.quantile(np.concatenate(parts), (0.025, 0.975))
    return float(ends[0]), float(ends[1])


def compared(compare: Callable[..., Comparison], *samples: Sequence[float], what: str = "batches") -> Test:
    """A test of the `stats` floor, absent with its reason where a sample is too small or nothing varies."""
    smallest = min(len(sample) for sample in samples)
    if smallest < 2:
        return Test(delta=None, reason=too_few(smallest, what=what))
    found = compare(*samples)
    if found.interval is None:
        return Test(delta=found.delta, reason=found.reason or "nothing varies")
    ends = found.interval
    return Test(
        delta=found.delta, low=ends.low, high=ends.high, t=found.t, df=found.df, p=found.p, cohens_d=found.cohens_d
    )


def within(compare: Callable[..., Comparison], sample: Sequence[float], margin: float, what: str = "batches") -> Within:
    """Equivalence of a mean to 0 within a margin that was declared before."""
    if len(sample) < 2:
        return Within(margin=margin, reason=too_few(len(sample), what=what))
    found = tost(compare(sample), margin=margin)
    return Within(margin=margin, p=found.p, verdict=found.verdict, reason=found.reason or "")

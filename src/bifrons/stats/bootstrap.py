"""Seeded bootstraps of a mean: two-way over seeds and items, and by blocks along a series.

Legend of shape suffixes: S training seeds, I items (prompts or images), R resamples, N positions of a series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bifrons.stats.describe import Interval, moments_of_sample
from bifrons.stats.sample import (
    FloatArray,
    count,
    finite_array,
    finite_sample,
    is_constant,
    largest_magnitude,
    open_probability,
)

_CELLS_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class TwoWayBootstrap:
    """A mean over seeds and items, with a percentile interval that lets both vary.

    `seed_means` holds one mean a seed, in input order, and `seed_std` their standard deviation (ddof=1), None with one
    seed. Standard error and interval are None, with a `reason`, when all values are equal.
    """

    estimate: float
    standard_error: float | None
    interval: Interval | None
    num_seeds: int
    num_items: int
    seed_means: tuple[float, ...]
    seed_std: float | None
    num_resamples: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BlockBootstrap:
    """The mean of a series, with a percentile interval that respects dependence shorter than a block.

    Standard error and interval are None, with a `reason`, when all values are equal.
    """

    estimate: float
    standard_error: float | None
    interval: Interval | None
    num_values: int
    block_length: int
    num_resamples: int
    reason: str | None = None


def two_way_bootstrap(
    values: ArrayLike, *, seed: int, num_resamples: int = 10_000, level: float = 0.95
) -> TwoWayBootstrap:
    """Bootstrap the mean of scores of shape [S, I], drawing seeds and items with replacement and independently.

    This is the pigeonhole bootstrap (Owen 2007). It errs on the wide side over items; over few seeds it errs on the
    narrow side, by a factor (S - 1) / S in variance, so `seed_std` belongs beside it. With one seed only the items
    vary. ValueError unless there are two dimensions, at least one seed and at least two items.
    """
    return _two_way(_matrix(values, "values"), None, seed, num_resamples, level)


def two_way_bootstrap_difference(
    treatment: ArrayLike, baseline: ArrayLike, *, seed: int, num_resamples: int = 10_000, level: float = 0.95
) -> TwoWayBootstrap:
    """Bootstrap mean(treatment - baseline) of scores of shape [S, I], each column the same item in both.

    A baseline of shape [S, I] is paired with the treatment by row, so the rows must be the same seeds in one order; one
    of shape [1, I] or [I], such as an untrained model's, is set against every row. ValueError for other shapes.
    """
    treatment_SI = _matrix(treatment, "treatment")
    baseline_SI = _matrix(np.atleast_2d(finite_array(baseline, "baseline")), "baseline")
    if baseline_SI.shape[1] != treatment_SI.shape[1] or baseline_SI.shape[0] not in (1, treatment_SI.shape[0]):
        raise ValueError(
            f"baseline has shape {baseline_SI.shape} and treatment {treatment_SI.shape}; pairing needs the same items, "
            "and either the same seeds or one row"
        )
    scale = largest_magnitude(treatment_SI, baseline_SI)
    return _two_way(treatment_SI - baseline_SI, scale, seed, num_resamples, level)


def block_bootstrap(
    series: ArrayLike,
    *,
    seed: int,
    block_length: int | None = None,
    num_resamples: int = 10_000,
    level: float = 0.95,
) -> BlockBootstrap:
    """Bootstrap the mean of a dependent series, shape [N], by moving blocks laid end to end.

    Blocks wrap around from the last value to the first, so that every value is drawn equally often (circular blocks,
    Politis and Romano 1992); the last block is cut to fit. Without a block length it is the cube root of N, rounded up.
    ValueError for fewer than two values, or a block longer than half the series.
    """
    series_N = finite_sample(series, "series")
    size = int(series_N.size)
    length = math.ceil(size ** (1.0 / 3.0) - 1e-9) if block_length is None else block_length
    count(length, "block_length", minimum=1)
    if 2 * length > size and length > 1:
        if block_length is not None:
            raise ValueError(f"block_length is {length}; a series of {size} values allows at most {size // 2}")
        length = max(1, size // 2)
    rng = _generator(seed, num_resamples, level)
    estimate = moments_of_sample(series_N).mean
    if is_constant(series_N):
        reason = f"all {size} values are equal"
        return BlockBootstrap(estimate, None, None, size, length, num_resamples, reason)
    num_whole, rest = divmod(size, length)
    deviation_N = series_N - estimate
    whole_N = _circular_sums(deviation_N, length)
    rest_N = _circular_sums(deviation_N, rest)
    totals: list[FloatArray] = []
    for rows in _chunks(num_resamples, num_whole + 1):
        starts = rng.integers(0, size, size=(rows, num_whole + 1))
        totals.append(whole_N[starts[:, :-1]].sum(axis=1) + rest_N[starts[:, -1]])
    means_R = np.concatenate(totals) / size
    error, interval = _spread(estimate, means_R, level)
    return BlockBootstrap(estimate, error, interval, size, length, num_resamples)


def _two_way(
    values_SI: FloatArray, scale: float | None, seed: int, num_resamples: int, level: float
) -> TwoWayBootstrap:
    rng = _generator(seed, num_resamples, level)
    num_seeds, num_items = values_SI.shape
    estimate = moments_of_sample(values_SI.ravel(), scale).mean
    row_means = [moments_of_sample(row, scale).mean for row in values_SI]
    seed_std = None
    if num_seeds > 1:
        rounding = largest_magnitude(values_SI) if scale is None else scale
        seed_std = moments_of_sample(np.asarray(row_means), rounding).std
    error, interval, reason = None, None, None
    if is_constant(values_SI, scale):
        reason = f"all {values_SI.size} values are equal"
    else:
        means_R = _two_way_means(values_SI - estimate, rng, num_resamples)
        error, interval = _spread(estimate, means_R, level)
    return TwoWayBootstrap(
        estimate=estimate,
        standard_error=error,
        interval=interval,
        num_seeds=num_seeds,
        num_items=num_items,
        seed_means=tuple(row_means),
        seed_std=seed_std,
        num_resamples=num_resamples,
        reason=reason,
    )


def _two_way_means(deviation_SI: FloatArray, rng: np.random.Generator, num_resamples: int) -> FloatArray:
    """Means over resampled rows and columns, shape [R]."""
    num_seeds, num_items = deviation_SI.shape
    means: list[FloatArray] = []
    for rows in _chunks(num_resamples, num_items):
        seeds_RS = rng.integers(0, num_seeds, size=(rows, num_seeds))
        items_RI = rng.integers(0, num_items, size=(rows, num_items))
        over_seeds_RI = np.zeros((rows, num_items))
        for seeds_R in seeds_RS.T:
            over_seeds_RI += deviation_SI[seeds_R]
        means.append(np.take_along_axis(over_seeds_RI, items_RI, axis=1).mean(axis=1) / num_seeds)
    return np.concatenate(means)


def _circular_sums(values_N: FloatArray, length: int) -> FloatArray:
    """Sum of the `length` values from each position on, wrapping around, shape [N]."""
    sums_N = np.zeros_like(values_N)
    for shift in range(length):
        sums_N += np.roll(values_N, -shift)
    return sums_N


def _spread(estimate: float, deviations_R: FloatArray, level: float) -> tuple[float, Interval]:
    tail = (1.0 - level) / 2.0
    low, high = (float(np.quantile(deviations_R, q)) for q in (tail, 1.0 - tail))
    return float(np.std(deviations_R, ddof=1)), Interval(estimate + low, estimate + high, level)


def _matrix(values: ArrayLike, name: str) -> FloatArray:
    matrix_SI = finite_array(values, name)
    if matrix_SI.ndim != 2 or matrix_SI.shape[0] < 1 or matrix_SI.shape[1] < 2:
        raise ValueError(f"{name} must have shape [seeds, items] with two items or more, not {matrix_SI.shape}")
    return matrix_SI


def _generator(seed: int, num_resamples: int, level: float) -> np.random.Generator:
    open_probability(level, "level")
    count(num_resamples, "num_resamples", minimum=100)
    count(seed, "seed", minimum=0)
    return np.random.default_rng(seed)


def _chunks(num_resamples: int, width: int) -> list[int]:
    """Resamples a chunk, so that memory stays bounded; fixed by the shape, so that the seed fixes the result."""
    rows = max(1, _CELLS_AT_ONCE // width)
    whole, rest = divmod(num_resamples, rows)
    return [rows] * whole + ([rest] if rest else [])

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from bifrons.stats import block_bootstrap, two_way_bootstrap, two_way_bootstrap_difference
from bifrons.stats.bootstrap import FloatArray


def crossed(num_seeds: int, num_items: int, *, seed_std: float, item_std: float, noise_std: float) -> FloatArray:
    rng = np.random.default_rng(5)
    return (
        2.0
        + seed_std * rng.normal(size=(num_seeds, 1))
        + item_std * rng.normal(size=(1, num_items))
        + noise_std * rng.normal(size=(num_seeds, num_items))
    )


def slow_two_way(values: FloatArray, num_resamples: int) -> FloatArray:
    """The same bootstrap, one cell at a time."""
    rng = random.Random(99)
    num_seeds, num_items = values.shape
    means: list[float] = []
    for _ in range(num_resamples):
        seeds = [rng.randrange(num_seeds) for _ in range(num_seeds)]
        items = [rng.randrange(num_items) for _ in range(num_items)]
        means.append(sum(float(values[row, column]) for row in seeds for column in items) / values.size)
    return np.asarray(means)


def test_two_way_against_a_slow_bootstrap() -> None:
    values = crossed(3, 25, seed_std=0.5, item_std=1.0, noise_std=0.7)
    result = two_way_bootstrap(values, seed=0, num_resamples=20_000)
    slow = slow_two_way(values, 5000)
    assert result.estimate == pytest.approx(float(values.mean()), rel=1e-14)
    assert result.standard_error == pytest.approx(float(slow.std(ddof=1)), rel=0.04)
    assert result.interval is not None
    low, high = (float(np.quantile(slow, q)) for q in (0.025, 0.975))
    assert (result.interval.low, result.interval.high) == pytest.approx((low, high), abs=0.05)
    assert result.seed_means == pytest.approx(tuple(values.mean(axis=1)))
    assert result.seed_std == pytest.approx(float(values.mean(axis=1).std(ddof=1)))
    assert (result.num_seeds, result.num_items) == (3, 25)


def test_two_way_standard_error_against_its_exact_expectation() -> None:
    """Additive scores: the bootstrap variance is the sum of the two plug-in variances of the means."""
    values = crossed(4, 60, seed_std=1.0, item_std=2.0, noise_std=0.0)
    variance = values.mean(axis=1).var() / 4 + values.mean(axis=0).var() / 60
    result = two_way_bootstrap(values, seed=1, num_resamples=40_000)
    assert result.standard_error == pytest.approx(math.sqrt(float(variance)), rel=0.02)


def test_one_seed_is_the_ordinary_bootstrap_over_items() -> None:
    values = np.random.default_rng(6).normal(size=(1, 50))
    result = two_way_bootstrap(values, seed=2, num_resamples=10_000, level=0.9)
    assert result.standard_error == pytest.approx(float(values.std()) / math.sqrt(50), rel=0.03)
    low = float(np.quantile(slow_two_way(values, 10_000), 0.05))
    assert result.interval is not None
    assert result.interval.low == pytest.approx(low, abs=0.015)
    assert result.seed_std is None


def test_pairing_removes_what_the_items_share() -> None:
    rng = np.random.default_rng(8)
    baseline = crossed(3, 200, seed_std=0.0, item_std=5.0, noise_std=0.1)
    treatment = baseline + 0.3 + 0.1 * rng.normal(size=baseline.shape)
    result = two_way_bootstrap_difference(treatment, baseline, seed=3, num_resamples=2000)
    assert result.interval is not None
    assert result.standard_error is not None
    assert 0.0 not in result.interval
    assert result.standard_error < 0.03
    assert result == two_way_bootstrap(treatment - baseline, seed=3, num_resamples=2000)


def test_an_untrained_baseline_stands_against_every_seed() -> None:
    treatment, baseline = crossed(3, 30, seed_std=1, item_std=1, noise_std=1), np.linspace(0.0, 1.0, 30)
    one = two_way_bootstrap_difference(treatment, baseline, seed=4, num_resamples=500)
    assert one == two_way_bootstrap_difference(treatment, baseline[None], seed=4, num_resamples=500)
    assert one == two_way_bootstrap_difference(treatment, np.tile(baseline, (3, 1)), seed=4, num_resamples=500)


def test_the_seed_fixes_the_result() -> None:
    values = crossed(3, 20, seed_std=1, item_std=1, noise_std=1)
    assert two_way_bootstrap(values, seed=5, num_resamples=300) == two_way_bootstrap(values, seed=5, num_resamples=300)
    assert two_way_bootstrap(values, seed=5, num_resamples=300) != two_way_bootstrap(values, seed=6, num_resamples=300)
    assert block_bootstrap(values[0], seed=5) == block_bootstrap(values[0], seed=5)


@pytest.mark.parametrize("scale", [1e-10, 1e15])
def test_scales_with_the_unit(scale: float) -> None:
    values = crossed(3, 20, seed_std=1, item_std=1, noise_std=1)
    result = two_way_bootstrap(values, seed=5, num_resamples=300)
    scaled = two_way_bootstrap(values * scale, seed=5, num_resamples=300)
    assert result.interval is not None
    assert scaled.interval is not None
    assert scaled.interval.low == pytest.approx(result.interval.low * scale, rel=1e-9)
    assert scaled.seed_std == pytest.approx((result.seed_std or 0.0) * scale, rel=1e-9)


def test_equal_values_leave_the_interval_undefined() -> None:
    result = two_way_bootstrap(np.full((3, 7), 0.1), seed=0)
    assert (result.estimate, result.seed_means, result.seed_std) == (0.1, (0.1, 0.1, 0.1), 0.0)
    assert (result.standard_error, result.interval, result.reason) == (None, None, "all 21 values are equal")
    series = block_bootstrap([0.1] * 9, seed=0)
    assert (series.estimate, series.interval, series.reason) == (0.1, None, "all 9 values are equal")
    shifted = np.asarray([[0.1, 0.7, 1e3]])
    assert two_way_bootstrap_difference(shifted + 0.1, shifted, seed=0).interval is None


def test_blocks_of_one_are_the_ordinary_bootstrap() -> None:
    values = np.random.default_rng(9).normal(1.0, 2.0, size=80)
    result = block_bootstrap(values, seed=0, block_length=1, num_resamples=20_000)
    assert result.estimate == pytest.approx(float(values.mean()))
    assert result.standard_error == pytest.approx(float(values.std()) / math.sqrt(80), rel=0.03)


@pytest.mark.parametrize("length", [2, 3, 7, 27])
def test_block_standard_error_against_its_exact_expectation(length: int) -> None:
    """The variance of a sum of independent blocks, each start equally likely; 80 = 2 * 27 + 26 leaves a cut block."""
    values = np.random.default_rng(10).normal(size=80)
    centred = values - values.mean()

    def block_variance(size: int) -> float:
        sums = [sum(centred[(start + step) % 80] for step in range(size)) for start in range(80)]
        return float(np.mean(np.square(sums)))

    variance = (80 // length) * block_variance(length) + block_variance(80 % length)
    result = block_bootstrap(values, seed=1, block_length=length, num_resamples=20_000)
    assert result.standard_error == pytest.approx(math.sqrt(variance) / 80, rel=0.03)


def test_blocks_see_dependence_between_neighbours() -> None:
    """Neighbours that share a term, as consecutive cosines share a batch, have twice the variance of the mean."""
    noise = np.random.default_rng(11).normal(size=20_001)
    series = noise[1:] + noise[:-1]
    blocks = block_bootstrap(series, seed=2, block_length=40, num_resamples=400)
    alone = block_bootstrap(series, seed=2, block_length=1, num_resamples=400)
    assert blocks.standard_error is not None
    assert alone.standard_error is not None
    assert blocks.standard_error / alone.standard_error == pytest.approx(math.sqrt(2.0), rel=0.12)


@pytest.mark.parametrize(("size", "length"), [(2, 1), (3, 1), (8, 2), (27, 3), (199, 6), (200, 6)])
def test_default_block_length(size: int, length: int) -> None:
    assert block_bootstrap(np.arange(size), seed=0, num_resamples=100).block_length == length


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"values must have shape \[seeds, items\] with two items or more, not \(4,\)"):
        two_way_bootstrap([1.0, 2.0, 3.0, 4.0], seed=0)
    with pytest.raises(ValueError, match="values must have shape"):
        two_way_bootstrap(np.empty((0, 5)), seed=0)
    with pytest.raises(ValueError, match="leave unscored items out"):
        two_way_bootstrap([[1.0, math.nan]], seed=0)
    with pytest.raises(ValueError, match="pairing needs the same items"):
        two_way_bootstrap_difference(np.ones((3, 4)), np.ones((2, 4)), seed=0)
    with pytest.raises(ValueError, match="num_resamples must be a whole number of at least 100"):
        two_way_bootstrap([[1.0, 2.0]], seed=0, num_resamples=10)
    with pytest.raises(ValueError, match="block_length is 6; a series of 10 values allows at most 5"):
        block_bootstrap(np.arange(10), seed=0, block_length=6)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        block_bootstrap(np.arange(10), seed=-1)

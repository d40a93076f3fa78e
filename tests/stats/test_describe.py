from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrons.stats import Moments, moments_of, summarise, summarise_moments

oracle = import_module("scipy.stats")
samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


def test_hand_checked() -> None:
    summary = summarise([1.0, 2.0, 3.0, 4.0])
    assert (summary.mean, summary.n) == (2.5, 4)
    assert summary.std == pytest.approx(math.sqrt(5 / 3), rel=1e-14)
    assert summary.standard_error == pytest.approx(math.sqrt(5 / 12), rel=1e-14)
    # t(0.975, 3) = 3.182446 from the printed tables.
    assert summary.interval.high == pytest.approx(2.5 + 3.182446 * math.sqrt(5 / 12), abs=1e-6)
    assert 2.5 in summary.interval
    assert 5.0 not in summary.interval


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_interval_against_scipy(level: float) -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=17)
    summary = summarise(values, level=level)
    low, high = oracle.t.interval(level, 16, loc=values.mean(), scale=oracle.sem(values))
    assert (summary.interval.low, summary.interval.high) == pytest.approx((low, high), rel=1e-12)
    assert summary.interval.level == level


def test_moments_and_values_agree() -> None:
    values = [0.3, 0.9, 0.1, 0.4]
    assert summarise_moments(moments_of(values)) == summarise(values)


@pytest.mark.parametrize("scale", [1e-300, 1e-10, 1.0, 1e15, 1e300])
def test_scales_with_the_unit(scale: float) -> None:
    values = np.asarray([1.0, 2.0, 4.0, 8.0])
    summary, scaled = summarise(values), summarise(values * scale)
    assert (scaled.mean, scaled.std) == pytest.approx((summary.mean * scale, summary.std * scale), rel=1e-12)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(samples)
def test_mean_lies_in_its_interval_and_among_its_values(values: list[float]) -> None:
    summary = summarise(values)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= summary.mean <= max(values) + slack
    assert summary.mean in summary.interval
    assert summary.std >= 0.0


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3, 1e17, 1e-300])
def test_equal_values_have_exactly_zero_variance(constant: float) -> None:
    summary = summarise([constant] * 7)
    assert (summary.mean, summary.std, summary.standard_error) == (constant, 0.0, 0.0)
    assert (summary.interval.low, summary.interval.high) == (constant, constant)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "scores holds 0 values; at least 2"),
        ([1.0], "scores holds 1 values; at least 2"),
        ([1.0, math.nan], "scores holds 1 values that are missing, infinite or NaN"),
        ([1.0, None], "scores holds 1 values that are missing, infinite or NaN"),
        ([math.inf, -math.inf, 0.0], "scores holds 2 values that are missing"),
        ([[1.0, 2.0]], r"scores must have one dimension, not shape \(1, 2\)"),
        (["a", "b"], "scores must be an array of numbers"),
        ([[1.0], [1.0, 2.0]], "scores must be an array of numbers with rows of one length"),
    ],
)
def test_mistakes_are_named(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(values, name="scores")


def test_impossible_moments_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="std must not be negative"):
        Moments(0.0, -1.0, 5)
    with pytest.raises(ValueError, match="n must be a whole number of at least 2, not 1"):
        Moments(0.0, 1.0, 1)
    with pytest.raises(ValueError, match="mean must be finite"):
        Moments(math.nan, 1.0, 5)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1"):
        summarise([1.0, 2.0], level=95)

from __future__ import annotations

import math
from dataclasses import astuple
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrons.stats import (
    Comparison,
    Moments,
    cohens_d,
    moments_of,
    one_sample,
    one_sample_from_moments,
    paired,
    welch,
    welch_from_moments,
)

oracle = import_module("scipy.stats")
RNG = np.random.default_rng(1)
TREATMENT, BASELINE, SAME_SIZE = RNG.normal(1.0, 2.0, 40), RNG.normal(0.3, 0.7, 13), RNG.normal(0.8, 1.1, 40)
moments = st.builds(Moments, st.floats(-5, 5), st.floats(0.01, 10), st.integers(2, 500))


def assert_matches(result: Comparison, expected: Any, level: float) -> None:
    """`expected` is SciPy's own test result."""
    interval = expected.confidence_interval(level)
    assert result.t == pytest.approx(expected.statistic, rel=1e-11)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.df == pytest.approx(expected.df, rel=1e-12)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_against_scipy(level: float) -> None:
    assert_matches(
        welch(TREATMENT, BASELINE, level=level), oracle.ttest_ind(TREATMENT, BASELINE, equal_var=False), level
    )
    assert_matches(paired(TREATMENT, SAME_SIZE, level=level), oracle.ttest_rel(TREATMENT, SAME_SIZE), level)
    assert_matches(one_sample(TREATMENT, null=0.5, level=level), oracle.ttest_1samp(TREATMENT - 0.5, 0.0), level)


def test_moments_against_scipy_and_values() -> None:
    first, second = Moments(2.753, 1.012, 600), Moments(2.49, 1.168, 200)
    expected = oracle.ttest_ind_from_stats(2.753, 1.012, 600, 2.49, 1.168, 200, equal_var=False)
    result = welch_from_moments(first, second)
    assert (result.t, result.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-11)
    assert welch_from_moments(moments_of(TREATMENT), moments_of(BASELINE)) == welch(TREATMENT, BASELINE)
    assert one_sample_from_moments(moments_of(TREATMENT), null=0.2) == one_sample(TREATMENT, null=0.2)


def test_welch_degrees_of_freedom_against_statsmodels() -> None:
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    t, p, df = weightstats.ttest_ind(TREATMENT, BASELINE, usevar="unequal")
    result = welch(TREATMENT, BASELINE)
    assert (result.t, result.p, result.df) == pytest.approx((t, p, df), rel=1e-10)


def test_cohens_d_by_hand() -> None:
    assert cohens_d(Moments(5.0, 3.0, 10), Moments(2.0, 4.0, 99)) == pytest.approx(3 / math.sqrt(12.5), rel=1e-14)
    assert welch([0.0, 2.0], [1.0, 3.0]).cohens_d == pytest.approx(-1 / math.sqrt(2), rel=1e-14)
    # Differences 1, 2, 3: mean 2, standard deviation 1.
    assert paired([1.0, 3.0, 5.0], [0.0, 1.0, 2.0]).cohens_d == pytest.approx(2.0, rel=1e-14)
    assert one_sample([1.0, 2.0, 3.0], null=1.5).cohens_d == pytest.approx(0.5, rel=1e-14)


def test_small_p_values_keep_their_digits() -> None:
    """With one minus the distribution function everything below 1e-16 would be zero."""
    result = welch_from_moments(Moments(1.0, 1.0, 600), Moments(0.0, 1.0, 600))
    assert result.t is not None
    assert result.p is not None
    assert result.p == pytest.approx(2 * oracle.t.sf(result.t, 1198), rel=1e-9)
    assert 0.0 < result.p < 1e-50


@settings(deadline=None, max_examples=60, derandomize=True)
@given(moments, moments)
def test_welch_properties(treatment: Moments, baseline: Moments) -> None:
    result, reverse = welch_from_moments(treatment, baseline), welch_from_moments(baseline, treatment)
    assert result.p is not None
    assert result.df is not None
    assert result.interval is not None
    assert (reverse.delta, reverse.p, reverse.df) == pytest.approx((-result.delta, result.p, result.df))
    sizes = treatment.n, baseline.n
    assert min(sizes) - 1 - 1e-9 <= result.df <= sum(sizes) - 2 + 1e-9
    assert 0.0 <= result.p <= 1.0
    if abs(result.p - 0.05) > 1e-9:
        assert (0.0 in result.interval) == (result.p > 0.05)


@pytest.mark.parametrize("scale", [1e-200, 1e-10, 1e15, 1e200])
def test_the_unit_changes_nothing_but_the_raw_figures(scale: float) -> None:
    result, scaled = welch(TREATMENT, BASELINE), welch(TREATMENT * scale, BASELINE * scale)
    assert (scaled.t, scaled.df, scaled.p, scaled.cohens_d) == pytest.approx(
        (result.t, result.df, result.p, result.cohens_d), rel=1e-9
    )
    assert scaled.delta == pytest.approx(result.delta * scale, rel=1e-9)


@pytest.mark.parametrize(
    ("result", "delta", "reason"),
    [
        (welch([0.1] * 5, [0.1] * 3), 0.0, "both samples have zero variance"),
        (welch([3.0] * 5, [1.0] * 3), 2.0, "both samples have zero variance"),
        (paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), 0.0, "all 3 differences are equal"),
        (one_sample([0.5, 0.5, 0.5], null=0.25), 0.25, "all 3 values are equal"),
    ],
)
def test_without_variance_the_test_is_undefined_and_says_why(result: Comparison, delta: float, reason: str) -> None:
    assert (result.delta, result.standard_error, result.reason) == (delta, 0.0, reason)
    assert astuple(result)[3:8] == (None, None, None, None, None)


def test_a_constant_step_is_no_variance_despite_rounding() -> None:
    baseline = np.asarray([0.1, 0.7, 1e3, 12.3])
    differences = (baseline + 0.1) - baseline
    assert np.ptp(differences) > 0.0
    result = paired(baseline + 0.1, baseline)
    assert result.t is None
    assert result.delta == pytest.approx(0.1)


def test_one_constant_sample_is_enough_for_welch() -> None:
    result = welch([1.0, 2.0, 3.0], [0.5] * 10)
    assert result.df == 2.0
    assert result.t == pytest.approx(one_sample([1.0, 2.0, 3.0], null=0.5).t)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="baseline holds 1 values; at least 2"):
        welch([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="treatment holds 2 values and baseline 3"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="null must be finite"):
        one_sample([1.0, 2.0], null=math.nan)
    with pytest.raises(ValueError, match="level must lie"):
        welch([1.0, 1.0], [1.0, 1.0], level=0.0)

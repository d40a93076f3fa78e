from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrons.stats import Moments, margin_in_raw_units, one_sample, paired, tost, welch, welch_from_moments

oracle = import_module("scipy.stats")
RNG = np.random.default_rng(2)
FIRST, SECOND = RNG.normal(0.05, 1.0, 90), RNG.normal(0.0, 1.4, 60)


def test_welch_against_scipy_one_sided_tests() -> None:
    result = tost(welch(FIRST, SECOND), margin=0.4)
    lower = oracle.ttest_ind(FIRST + 0.4, SECOND, equal_var=False, alternative="greater")
    upper = oracle.ttest_ind(FIRST - 0.4, SECOND, equal_var=False, alternative="less")
    assert (result.t_lower, result.t_upper) == pytest.approx((lower.statistic, upper.statistic), rel=1e-10)
    assert result.p == pytest.approx(max(lower.pvalue, upper.pvalue), rel=1e-9)
    ninety = oracle.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval(0.9)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((ninety.low, ninety.high), rel=1e-9)
    assert result.p_difference == pytest.approx(oracle.ttest_ind(FIRST, SECOND, equal_var=False).pvalue, rel=1e-10)


def test_paired_and_one_sample_against_statsmodels() -> None:
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    expected = weightstats.ttost_paired(FIRST[:60], SECOND, -0.3, 0.3)
    assert tost(paired(FIRST[:60], SECOND), margin=0.3).p == pytest.approx(expected[0], rel=1e-9)
    alone = weightstats.DescrStatsW(FIRST).ttost_mean(-0.5, 0.1)
    assert tost(one_sample(FIRST, null=-0.2), margin=0.3).p == pytest.approx(alone[0], rel=1e-9)


@pytest.mark.parametrize(
    ("delta", "std", "verdict"),
    [
        (0.0, 1.0, "equivalent"),
        (0.1, 0.5, "different but within the margin"),
        (0.5, 1.0, "different"),
        (0.1, 5.0, "inconclusive"),
        (-0.1, 0.5, "different but within the margin"),
        (-0.5, 1.0, "different"),
    ],
)
def test_verdicts(delta: float, std: float, verdict: str) -> None:
    comparison = welch_from_moments(Moments(delta, std, 1000), Moments(0.0, std, 1000))
    assert tost(comparison, margin=0.2).verdict == verdict


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(-2, 2), st.floats(0.05, 3), st.integers(2, 300), st.floats(0.01, 3), st.floats(0.001, 0.4))
def test_equivalent_exactly_when_the_interval_lies_within_the_margin(
    delta: float, std: float, n: int, margin: float, alpha: float
) -> None:
    comparison = welch_from_moments(Moments(delta, std, n), Moments(0.0, 2.0 * std, n + 3))
    result = tost(comparison, margin=margin, alpha=alpha)
    assert result.interval is not None
    assert result.p is not None
    assert result.interval.level == pytest.approx(1 - 2 * alpha)
    if abs(result.p - alpha) > 1e-9:
        assert (result.p < alpha) == (-margin < result.interval.low and result.interval.high < margin)
    assert (result.p < alpha) == (result.verdict in ("equivalent", "different but within the margin"))
    wider = tost(comparison, margin=2 * margin, alpha=alpha)
    assert wider.p is not None
    assert wider.p <= result.p


def test_without_variance_there_is_no_verdict() -> None:
    result = tost(paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), margin=0.2)
    assert (result.p, result.t_lower, result.t_upper, result.verdict) == (None, None, None, None)
    assert (result.delta, result.reason) == (0.0, "all 3 differences are equal")


def test_margin_in_raw_units() -> None:
    assert margin_in_raw_units(0.2, standard_deviation=1.168) == pytest.approx(0.2336)
    with pytest.raises(ValueError, match="standard_deviation must be above zero, not 0"):
        margin_in_raw_units(0.2, standard_deviation=0.0)


@pytest.mark.parametrize("margin", [0.0, -0.1, math.inf, math.nan])
def test_a_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be"):
        tost(welch(FIRST, SECOND), margin=margin)


def test_alpha_must_leave_an_interval() -> None:
    with pytest.raises(ValueError, match=r"alpha must lie strictly between 0 and 0\.5"):
        tost(welch(FIRST, SECOND), margin=0.2, alpha=0.5)

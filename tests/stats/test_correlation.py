from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrons.stats import Correlation, grouped_correlation, pearson, spearman
from bifrons.stats.correlation import average_ranks

oracle = import_module("scipy.stats")
RNG = np.random.default_rng(12)
X = RNG.normal(size=35)
Y = 0.5 * X + RNG.normal(size=35)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_pearson_against_scipy(level: float) -> None:
    result, expected = pearson(X, Y, level=level), oracle.pearsonr(X, Y)
    interval = expected.confidence_interval(level)
    assert (result.r, result.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_spearman_against_scipy_with_ties() -> None:
    x, y = np.round(X, 1), np.round(Y)
    result, expected = spearman(x, y), oracle.spearmanr(x, y)
    assert (result.r, result.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert result.interval is not None
    assert result.r is not None
    reach = 1.959964 * math.sqrt((1 + result.r**2 / 2) / 32)
    assert math.atanh(result.interval.high) == pytest.approx(math.atanh(result.r) + reach, abs=1e-6)


def test_ranks_against_scipy() -> None:
    values = np.asarray([3.0, 1.0, 3.0, -2.0, 3.0, 1.0])
    assert average_ranks(values).tolist() == [5.0, 2.5, 5.0, 1.0, 5.0, 2.5]
    assert average_ranks(np.round(X, 1)).tolist() == oracle.rankdata(np.round(X, 1)).tolist()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=4, max_size=25))
def test_properties(pairs: list[tuple[int, int]]) -> None:
    x, y = ([float(pair[i]) for pair in pairs] for i in (0, 1))
    result = pearson(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert (result.r, result.p, result.interval) == (None, None, None)
        assert result.reason is not None
        return
    assert result.r is not None
    assert result.interval is not None
    assert -1.0 <= result.interval.low <= result.r <= result.interval.high <= 1.0
    assert pearson(y, x).r == pytest.approx(result.r, abs=1e-12)
    assert pearson([-3.0 * value + 7.0 for value in x], y).r == pytest.approx(-result.r, abs=1e-12)
    stretched = spearman([math.exp(value / 10) for value in x], y)
    assert stretched.r == pytest.approx(spearman(x, y).r, abs=1e-12)


def test_a_perfect_line() -> None:
    result = pearson([1.0, 2.0, 4.0, 8.0], [-2.0, -4.0, -8.0, -16.0])
    assert result.r == pytest.approx(-1.0, abs=1e-15)
    assert result.p == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-10, 1e15, 1e200])
def test_the_unit_changes_nothing(scale: float) -> None:
    assert pearson(X * scale, Y).r == pytest.approx(pearson(X, Y).r, rel=1e-12)


def test_no_variance_is_undefined_and_says_where() -> None:
    assert pearson([0.1] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]) == Correlation(None, None, None, 5, "x does not vary")
    assert spearman([1.0, 2.0, 3.0, 4.0], [0.1] * 4) == Correlation(None, None, None, 4, "y does not vary")


def grouped_sample() -> tuple[list[float], list[float], list[str]]:
    """Within each group the score falls with length; across the groups it rises."""
    rng = np.random.default_rng(13)
    x: list[float] = []
    y: list[float] = []
    groups: list[str] = []
    for number, name in enumerate(["base", "naive", "pcgrad", "fixed", "soup"]):
        inner = rng.normal(size=20 + number)
        x += list(10.0 * number + inner)
        y += list(5.0 * number - 0.8 * inner + 0.5 * rng.normal(size=inner.size))
        groups += [name] * inner.size
    return x, y, groups


def test_grouped_correlation_parts() -> None:
    x, y, groups = grouped_sample()
    result = grouped_correlation(x, y, groups)
    assert list(result.by_group) == ["base", "naive", "pcgrad", "fixed", "soup"]
    assert result.pooled == pearson(x, y)
    assert result.by_group["naive"] == pearson(x[20:41], y[20:41])
    means = [
        [float(np.mean([v for v, g in zip(values, groups, strict=True) if g == name])) for name in result.by_group]
        for values in (x, y)
    ]
    assert result.across.r == pytest.approx(pearson(*means).r, rel=1e-12)
    assert result.across.n == 5
    assert result.across.r is not None
    assert result.within.r is not None
    assert result.across.r > 0.99
    assert result.within.r < -0.5


def test_within_groups_against_regression_with_a_constant_a_group() -> None:
    """The p of the within correlation is that of the slope in least squares with one intercept a group."""
    api = pytest.importorskip("statsmodels.api")
    x, y, groups = grouped_sample()
    names = list(dict.fromkeys(groups))
    design = np.column_stack([x] + [[float(group == name) for group in groups] for name in names])
    fit = api.OLS(np.asarray(y), design).fit()
    within = grouped_correlation(x, y, groups).within
    assert within.r == pytest.approx(fit.tvalues[0] / math.sqrt(fit.tvalues[0] ** 2 + fit.df_resid), rel=1e-9)
    assert within.p == pytest.approx(fit.pvalues[0], rel=1e-7)


def test_one_group_is_the_plain_correlation_within_and_nothing_across() -> None:
    result = grouped_correlation(X, Y, ["only"] * 35)
    plain = pearson(X, Y)
    assert (result.within.r, result.within.p) == pytest.approx((plain.r, plain.p), rel=1e-10)
    assert result.across == Correlation(None, None, None, 1, "1 points; at least 4 are needed")


def test_parts_that_cannot_be_computed_say_why() -> None:
    result = grouped_correlation([0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 7.0], [1, 2, 3, 4, 5, 6, 7], list("aaabbbc"))
    assert result.by_group["a"].reason == "3 points; at least 4 are needed"
    assert result.by_group["c"].reason == "1 points; at least 4 are needed"
    assert result.within.reason == "x does not vary"
    crowded = grouped_correlation([1, 2, 3, 4], [4, 3, 1, 2], list("aabb"))
    assert crowded.within.reason == "4 points in 2 groups; at least 5 are needed"


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="x holds 3 values; at least 4"):
        pearson([1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="x holds 4 values and y 5"):
        spearman([1, 2, 3, 4], [1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="groups holds 1 names for 4 pairs"):
        grouped_correlation([1, 2, 3, 4], [1, 2, 3, 4], ["a"])

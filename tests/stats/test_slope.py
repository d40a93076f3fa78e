from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from bifrons.stats import linear_slope, log_log_slope

oracle = import_module("scipy.stats")
RNG = np.random.default_rng(14)
X = RNG.uniform(1.0, 20.0, size=12)
Y = 3.0 * X**1.2 * np.exp(0.2 * RNG.normal(size=12))


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_linear_slope_against_scipy(level: float) -> None:
    result, expected = linear_slope(X, Y, level=level), oracle.linregress(X, Y)
    reach = oracle.t.ppf(0.5 + level / 2, 10) * expected.stderr
    assert (result.slope, result.intercept) == pytest.approx((expected.slope, expected.intercept), rel=1e-10)
    assert result.standard_error == pytest.approx(expected.stderr, rel=1e-10)
    assert result.r_squared == pytest.approx(expected.rvalue**2, rel=1e-10)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx(
        (expected.slope - reach, expected.slope + reach), rel=1e-9
    )


def test_interval_against_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    fit = api.OLS(np.log(Y), api.add_constant(np.log(X))).fit()
    result = log_log_slope(X, Y)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx(tuple(fit.conf_int()[1]), rel=1e-9)


@pytest.mark.parametrize("exponent", [-2.0, 0.5, 1.0, 1.7])
def test_a_power_law_gives_back_its_exponent(exponent: float) -> None:
    x = np.asarray([36.0, 72.0, 144.0, 288.0, 576.0])
    result = log_log_slope(x, 0.3 * x**exponent)
    assert (result.slope, result.intercept) == pytest.approx((exponent, np.log(0.3)), rel=1e-12)
    assert result.standard_error == pytest.approx(0.0, abs=1e-12)
    assert result.r_squared == pytest.approx(1.0)


def test_units_move_the_intercept_of_a_power_law_and_not_its_exponent() -> None:
    result, scaled = log_log_slope(X, Y), log_log_slope(X * 1e-10, Y * 1e15)
    assert (scaled.slope, scaled.standard_error) == pytest.approx((result.slope, result.standard_error), rel=1e-9)


def test_coverage_of_the_interval() -> None:
    rng = np.random.default_rng(15)
    x = np.asarray([1.0, 2.0, 3.0, 4.0, 5.0])
    hits = 0
    for _ in range(2000):
        interval = linear_slope(x, 2.0 * x + rng.normal(size=5)).interval
        assert interval is not None
        hits += 2.0 in interval
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_flat_and_vertical() -> None:
    flat = linear_slope([1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
    assert (flat.slope, flat.intercept, flat.r_squared) == (0.0, 0.1, None)
    vertical = linear_slope([0.1, 0.1, 0.1], [1.0, 2.0, 3.0])
    assert (vertical.slope, vertical.interval, vertical.reason) == (None, None, "x does not vary")


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="x holds 2 values; at least 3"):
        linear_slope([1, 2], [1, 2])
    with pytest.raises(ValueError, match=r"y holds 0\.0; a logarithm needs values above zero"):
        log_log_slope([1, 2, 3], [1, 0, 3])

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from bifrons.stats import (
    power_of_t_test,
    smallest_detectable_one_sample,
    smallest_detectable_paired,
    smallest_detectable_welch,
    welch_from_moments,
)
from bifrons.stats.describe import Moments
from bifrons.stats.distributions import noncentral_t_two_sided, student_t_critical

oracle = import_module("scipy.stats")


@pytest.mark.parametrize("df", [1.0, 1.3, 2.0, 4.0, 29.0, 798.3, 1e6])
@pytest.mark.parametrize("noncentrality", [0.0, 0.5, 2.8, 6.0])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 27])
def test_power_against_scipy_noncentral_t(df: float, noncentrality: float, alpha: float) -> None:
    critical = student_t_critical(alpha, df)
    # SciPy gives NaN for a lower tail that is negligible.
    lower = np.nan_to_num(oracle.nct.cdf(-critical, df, noncentrality), nan=0.0)
    expected = oracle.nct.sf(critical, df, noncentrality) + lower
    assert power_of_t_test(noncentrality=noncentrality, df=df, alpha=alpha) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("df", [1.0, 1.01, 3.0, 50.0, 1e5])
@pytest.mark.parametrize("alpha", [1e-8, 0.001, 0.05, 0.5])
def test_without_an_effect_power_is_alpha(df: float, alpha: float) -> None:
    assert power_of_t_test(noncentrality=0.0, df=df, alpha=alpha) == pytest.approx(alpha, rel=1e-10)


def test_power_where_scipy_gives_nan() -> None:
    """An effect far beyond the critical value is found almost surely; one degree of freedom leaves heavy tails."""
    assert noncentral_t_two_sided(5.049, 199.0, 10.0) == pytest.approx(0.9999992, abs=1e-7)
    # P(W < 50 / 12.7062) for chi with one degree of freedom, up to the spread of Z: 1 - 2 * Phi(-3.935).
    assert noncentral_t_two_sided(12.7062, 1.0, 50.0) == pytest.approx(0.99991, abs=2e-5)


def test_power_rises_with_the_effect() -> None:
    powers = [power_of_t_test(noncentrality=x, df=7.0) for x in (0.3 * step for step in range(40))]
    assert powers == sorted(powers)
    assert powers[-1] > 0.999


def test_detectable_effects_against_statsmodels() -> None:
    power = pytest.importorskip("statsmodels.stats.power")
    alone = power.TTestPower().solve_power(nobs=200, alpha=0.05, power=0.8)
    assert smallest_detectable_paired(200).in_standard_deviations == pytest.approx(alone, rel=1e-5)
    assert smallest_detectable_one_sample(200).in_standard_deviations == pytest.approx(alone, rel=1e-5)
    # With equal sizes and deviations Welch's degrees of freedom are the pooled test's.
    both = power.TTestIndPower().solve_power(nobs1=150, alpha=0.01, power=0.9)
    result = smallest_detectable_welch(150, 150, alpha=0.01, power=0.9)
    assert result.in_standard_deviations == pytest.approx(both, rel=1e-5)
    assert result.df == pytest.approx(298.0)


def test_large_samples_approach_the_normal_formula() -> None:
    # (1.959964 + 0.841621) / sqrt(n)
    assert smallest_detectable_one_sample(1_000_000).in_standard_deviations == pytest.approx(2.801585e-3, rel=1e-5)


def test_welch_uses_the_degrees_of_freedom_of_the_test_and_its_unit() -> None:
    result = smallest_detectable_welch(600, 200, standard_deviations=(1.012, 1.168))
    test = welch_from_moments(Moments(0.0, 1.012, 600), Moments(0.0, 1.168, 200))
    assert result.df == pytest.approx(test.df)
    assert result.raw is not None
    assert result.raw == pytest.approx(result.in_standard_deviations * math.sqrt((1.012**2 + 1.168**2) / 2))
    assert power_of_t_test(noncentrality=result.raw / test.standard_error, df=result.df) == pytest.approx(0.8, abs=1e-9)


def test_detectable_effect_by_simulation() -> None:
    effect = smallest_detectable_welch(12, 5, standard_deviations=(0.5, 2.0), power=0.6)
    assert effect.raw is not None
    rng = np.random.default_rng(3)
    first = rng.normal(effect.raw, 0.5, (20_000, 12))
    second = rng.normal(0.0, 2.0, (20_000, 5))
    rejected: Any = oracle.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05
    # Welch's test is itself approximate: its observed degrees of freedom vary about the ones used here.
    assert float(rejected.mean()) == pytest.approx(0.6, abs=0.02)


def test_more_data_detect_less_and_raw_is_absent_without_a_deviation() -> None:
    effects = [smallest_detectable_paired(n).in_standard_deviations for n in (2, 3, 5, 20, 100, 1000)]
    assert effects == sorted(effects, reverse=True)
    assert smallest_detectable_paired(20).raw is None
    assert smallest_detectable_paired(20, standard_deviation_of_differences=2.0).raw == pytest.approx(2 * effects[3])


@pytest.mark.parametrize(("alpha", "power"), [(0.05 / 27, 0.8), (1e-6, 0.99), (0.05, 0.051), (0.4, 0.999)])
@pytest.mark.parametrize("n", [2, 3, 200])
def test_the_search_ends_for_extreme_settings(n: int, alpha: float, power: float) -> None:
    effect = smallest_detectable_one_sample(n, alpha=alpha, power=power)
    reached = power_of_t_test(noncentrality=effect.in_standard_deviations * math.sqrt(n), df=n - 1, alpha=alpha)
    assert reached == pytest.approx(power, abs=1e-8)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="num_pairs must be a whole number of at least 2, not 1"):
        smallest_detectable_paired(1)
    with pytest.raises(ValueError, match="power must be above alpha"):
        smallest_detectable_paired(10, alpha=0.3, power=0.2)
    with pytest.raises(ValueError, match="standard_deviation must be above zero"):
        smallest_detectable_one_sample(10, standard_deviation=0.0)
    with pytest.raises(ValueError, match="at least one of standard_deviations must be above zero"):
        smallest_detectable_welch(10, 10, standard_deviations=(0.0, 0.0))
    with pytest.raises(ValueError, match="standard_deviations must not be negative"):
        smallest_detectable_welch(10, 10, standard_deviations=(1.0, -1.0))
    with pytest.raises(ValueError, match="noncentrality must be finite"):
        power_of_t_test(noncentrality=math.nan, df=3.0)

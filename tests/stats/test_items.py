"""Comparisons over the same items: SciPy and a slow bootstrap as oracles, and what is absent with its reason."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bifrons.stats import compare_items, moments_of

RNG = np.random.default_rng(5)
NAMES = [f"item {i}" for i in range(60)]
BASE = RNG.normal(2.5, 1.1, 60)
RUNS = BASE + RNG.normal(0.1, 0.6, (3, 60))


def items(values: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, values.tolist(), strict=True))


def test_paired_test_is_scipys_on_means_over_seeds() -> None:
    found = compare_items([items(run) for run in RUNS], [items(BASE)])
    expected = scipy_stats.ttest_rel(RUNS.mean(axis=0), BASE)
    assert found.t == pytest.approx(expected.statistic) and found.p == pytest.approx(expected.pvalue)
    assert found.interval is not None and found.narrow is not None
    for interval, level in ((found.interval, 0.95), (found.narrow, 0.9)):
        low, high = expected.confidence_interval(level)
        assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    assert (found.num_items, found.num_seeds) == (60, 3)
    assert found.seed_std == pytest.approx(np.std((RUNS - BASE).mean(axis=1), ddof=1))


def test_equivalence_is_two_one_sided_tests_of_scipy() -> None:
    """The margin is in standard deviations of the baseline over items, whatever the differences' own spread is."""
    found = compare_items([items(run) for run in RUNS], [items(BASE)], margin=0.3)
    margin = 0.3 * np.std(BASE, ddof=1)
    assert found.margin == pytest.approx(margin)
    difference = RUNS.mean(axis=0) - BASE
    lower = scipy_stats.ttest_1samp(difference, -margin, alternative="greater").pvalue
    upper = scipy_stats.ttest_1samp(difference, margin, alternative="less").pvalue
    assert found.equivalence_p == pytest.approx(max(lower, upper))


def test_the_smallest_effect_is_found_with_a_power_of_80_percent() -> None:
    """By simulation: of samples with that effect the paired test finds about four in five."""
    found = compare_items([items(run) for run in RUNS], [items(BASE)])
    assert found.smallest_effect is not None
    spread = np.std(RUNS.mean(axis=0) - BASE, ddof=1)
    drawn = np.random.default_rng(1).normal(found.smallest_effect, spread, (4000, 60))
    share = float(np.mean(scipy_stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05))
    assert share == pytest.approx(0.8, abs=0.025)


def test_the_two_way_bootstrap_lets_seeds_vary() -> None:
    """A slow bootstrap over rows and columns gives the same interval; a seed far off widens it alone."""
    apart = RUNS + np.array([[0.0], [0.0], [1.5]])
    found = compare_items([items(run) for run in apart], [items(BASE)])
    rng, difference = np.random.default_rng(3), apart - BASE
    means = [difference[rng.integers(0, 3, 3)][:, rng.integers(0, 60, 60)].mean() for _ in range(4000)]
    low, high = np.quantile(means, (0.025, 0.975))
    assert found.bootstrap is not None and found.interval is not None
    assert (found.bootstrap.low, found.bootstrap.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))
    assert found.bootstrap.high - found.bootstrap.low > 2 * (found.interval.high - found.interval.low)


def test_only_items_that_every_run_has_are_compared() -> None:
    """An answer that did not parse under one method is left out of both."""
    some = items(RUNS[0])
    del some["item 0"], some["item 7"]
    kept = [i for i in range(60) if i not in (0, 7)]
    found = compare_items([some], [items(BASE)])
    assert found.num_items == 58
    assert found.delta == pytest.approx((RUNS[0] - BASE)[kept].mean())
    assert found.seed_std is None


def test_runs_of_two_methods_are_paired_by_seed() -> None:
    first, second = [items(run) for run in RUNS], [items(run + 0.25) for run in RUNS]
    found = compare_items(second, first, spread=moments_of(BASE).std)
    assert found.delta == pytest.approx(0.25)
    assert found.p is None and "equal" in str(found.reason)
    assert found.margin == pytest.approx(0.2 * np.std(BASE, ddof=1))


def test_a_constant_baseline_has_no_margin() -> None:
    """No equivalence without a margin: the test is absent, and the reason says why."""
    found = compare_items([items(RUNS[0])], [items(np.ones(60))])
    assert found.p is not None
    assert (found.margin, found.equivalence_p) == (None, None) and "margin" in str(found.reason)


@pytest.mark.parametrize(
    ("treatment", "baseline", "message"),
    [([], [items(BASE)], "at least one run"), ([{"a": 1.0}], [{"b": 1.0}], "0 items in common")],
)
def test_too_little_is_refused(
    treatment: list[dict[str, float]], baseline: list[dict[str, float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare_items(treatment, baseline)

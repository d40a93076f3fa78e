from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrons.stats import bonferroni, holm

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_hand_checked() -> None:
    p_values = [0.04, 0.01, 0.03, 0.005]
    assert bonferroni(p_values) == pytest.approx((0.16, 0.04, 0.12, 0.02))
    # Sorted 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 = 0.02, 0.03, 0.06, 0.04; the last is lifted to 0.06.
    assert holm(p_values) == pytest.approx((0.06, 0.03, 0.06, 0.02))


@pytest.mark.parametrize("method", ["bonferroni", "holm"])
def test_against_statsmodels(method: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = [*np.random.default_rng(4).uniform(size=25) ** 3, 0.0, 1.0]
    ours = {"bonferroni": bonferroni, "holm": holm}[method](p_values)
    assert ours == pytest.approx(tuple(multitest.multipletests(p_values, method=method)[1]))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(p_lists, st.integers(0, 1000))
def test_properties(p_values: list[float], seed: int) -> None:
    step_down, single_step = holm(p_values), bonferroni(p_values)
    for p, weak, strong in zip(p_values, step_down, single_step, strict=True):
        assert weak is not None
        assert strong is not None
        assert p <= weak <= strong + 1e-15
        assert strong <= 1.0
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(p_values))]
    assert holm([p_values[i] for i in order]) == tuple(step_down[i] for i in order)
    ranked = [step_down[i] or 0.0 for i in sorted(order, key=lambda i: p_values[i])]
    assert ranked == sorted(ranked)


def test_absent_p_values_stay_absent_and_are_not_counted() -> None:
    assert bonferroni([0.01, None, 0.02, math.nan]) == pytest.approx((0.02, None, 0.04, None))
    assert holm([0.01, None, 0.02, math.nan]) == pytest.approx((0.02, None, 0.02, None))
    for correct in (bonferroni, holm):
        assert correct([None, math.nan]) == (None, None)
        assert correct([]) == ()


def test_a_declared_family_counts_tests_that_were_not_run() -> None:
    assert bonferroni([0.001, None], num_comparisons=27) == pytest.approx((0.027, None))
    assert holm([0.001, 0.002], num_comparisons=27) == pytest.approx((0.027, 0.052))
    padded = holm([0.001, 0.002] + [1.0] * 25)
    assert holm([0.001, 0.002], num_comparisons=27) == padded[:2]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"p_values must lie in 0 \.\. 1, got 1\.5"):
        holm([0.1, 1.5])
    with pytest.raises(ValueError, match="num_comparisons is 1, fewer than the 2 p values given"):
        bonferroni([0.1, 0.2], num_comparisons=1)

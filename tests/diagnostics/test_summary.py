"""Statistics of batches: against SciPy, on gradients whose truth is known, absent with a reason where they must be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made import batches_of, random_batches
from scipy import stats as scipy_stats

from bifrons.diagnostics import summarise_gradients
from bifrons.diagnostics.estimate import variation_of
from bifrons.diagnostics.summary import as_tests
from bifrons.records import Gramian

BATCHES = random_batches(60, cosine=0.2)


def test_the_tests_are_those_of_scipy() -> None:
    """One-sample and Welch tests, over 59 consecutive and 30 disjoint cosines."""
    found = summarise_gradients(BATCHES)
    inter = [b.total.cosine for b in BATCHES]
    every = [b.understanding.total.cosine for b in BATCHES[1:] if b.understanding]
    expected = scipy_stats.ttest_1samp(inter, 0.0)
    assert found.cosine_against_zero.t == pytest.approx(expected.statistic)
    assert found.cosine_against_zero.p == pytest.approx(expected.pvalue)
    own = found.understanding
    assert (own.consecutive.n, own.disjoint.n) == (59, 30)
    for test, sample in ((own.against_consecutive, every), (own.against_disjoint, every[::2])):
        expected = scipy_stats.ttest_ind(sample, inter, equal_var=False)
        assert test.t == pytest.approx(expected.statistic)
        assert test.p == pytest.approx(expected.pvalue)
    assert own.disjoint.value == pytest.approx(np.mean(every[::2]))


def test_disjoint_pairs_share_no_batch() -> None:
    """Batches 2k and 2k + 1: a gradient that is off in one batch moves one disjoint cosine and two consecutive ones."""
    u, g = np.ones((8, 1, 4)), np.ones((8, 1, 4))
    u[3] = -1.0
    found = summarise_gradients(batches_of(u, g)).understanding
    assert found.consecutive.value == pytest.approx((7 - 4) / 7)
    assert found.disjoint.value == pytest.approx((4 - 2) / 4)


@pytest.mark.parametrize("signal", [0.0, 0.5, 2.0])
def test_the_signal_share_is_the_truth(signal: float) -> None:
    """Squared mean over mean square, s^2 / (s^2 + 1) here, within its interval over 400 batches."""
    found = summarise_gradients(random_batches(400, signal=signal, spread=1e-9, seed=4))
    for own in (found.understanding.signal, found.generation.signal):
        assert own.low is not None and own.high is not None
        assert own.low - 0.01 <= signal**2 / (signal**2 + 1) <= own.high + 0.01


def test_ratio_variation_and_tokens() -> None:
    """Geometric mean and coefficient of variation of log-normal ratios; the factor per token at a token ratio of 2."""
    found = summarise_gradients(random_batches(300, ratio=12.0, spread=0.3))
    assert found.ratio_geometric.value == pytest.approx(12.0, rel=0.1)
    variation = found.ratio_variation
    truth = np.sqrt(np.exp(0.3**2) - 1)
    assert variation.low is not None and variation.high is not None
    assert variation.low - 0.03 < truth < variation.high + 0.03
    assert found.tokens.value == 2.0 and "equal" in found.tokens.reason
    assert found.per_token.value == pytest.approx((found.ratio_geometric.value or 0) / 2)


def test_an_orthogonal_pair_is_said_to_be_and_an_opposed_one_is_not() -> None:
    near, opposed = (summarise_gradients(random_batches(50, cosine=c, signal=3.0)) for c in (0.0, -0.6))
    assert near.cosine_within.holds and not opposed.cosine_within.holds
    assert opposed.cosine_within.verdict == "different"
    assert near.detectable_cosine is not None and 0 < near.detectable_cosine < 0.1


def no_hole(value: Any, path: str = "") -> None:
    """Every absent figure has its reason beside it."""
    if isinstance(value, dict):
        if "value" in value and (value["value"] is None or value.get("low", 0) is None):
            assert value["reason"], path
        if "p" in value and value["p"] is None:
            assert value["reason"], path
        for key, inner in value.items():
            no_hole(inner, f"{path}.{key}")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_too_few_batches_have_reasons_and_no_numbers(count: int) -> None:
    """Never NaN, never 0 for no data; and the whole is JSON."""
    found = summarise_gradients(BATCHES[:count])
    json.dumps(found.as_json(), allow_nan=False)
    no_hole(found.as_json())
    if count == 1:
        assert found.cosine.value is None and "needs 2" in found.cosine.reason
        assert as_tests(found)["inter_task_cosine_against_zero"] == {"absent": found.cosine_against_zero.reason}
    if count < 5:
        assert found.uniformity.p is None and found.uniformity.verdict == "not testable"


def test_equal_values_and_dead_gradients_have_reasons() -> None:
    constant = summarise_gradients([replace(BATCHES[0], batch=i) for i in range(6)])
    assert constant.cosine.low is None and "equal" in constant.cosine.reason
    assert constant.cosine_against_zero.p is None and constant.cosine_against_zero.reason
    assert constant.ratio_variation.value is None and "equal" in constant.ratio_variation.reason
    dead = [replace(b, total=Gramian(0.0, 0.0, 1.0), layers=(Gramian(0.0, 0.0, 1.0),)) for b in BATCHES[:8]]
    found = summarise_gradients(dead)
    assert found.num_usable == 0 and found.cosine.value is None
    assert "8 of 8 batches" in found.notes[0]
    no_hole(found.as_json())


def test_pairs_that_come_again_are_told() -> None:
    """60 batches of 59 understanding pairs are not independent; without repetition nothing is said."""
    assert summarise_gradients(BATCHES).notes == ()
    again = [*BATCHES[:-1], replace(BATCHES[-1], records=("u0", "g59"))]
    assert "59 understanding pairs for 60 batches" in summarise_gradients(again).notes[0]


def test_variation_is_refused_where_it_means_nothing() -> None:
    assert "both sides of 0" in variation_of([-1.0, 1.0, 2.0]).reason
    assert "needs 3" in variation_of([1.0, 2.0]).reason


def test_bad_margin() -> None:
    with pytest.raises(ValueError, match="margin of the cosine is 0"):
        summarise_gradients(BATCHES, margin=0)


def test_tests_of_a_study_are_flat_numbers_or_reasons() -> None:
    """What the study's report can show: one level of names, each a number, a word or the reason."""
    found = as_tests(summarise_gradients(BATCHES))
    for value in found.values():
        parts = value.values() if isinstance(value, dict) else [value]
        assert all(isinstance(part, float | int | str) for part in parts)
    assert found["layers"]["verdict"] in ("uniform within the margin", "not settled", "not uniform")

"""Each rule of the recommendation, on gradients made to meet it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import batches_of, random_batches

from bifrons.diagnostics import recommend, summarise_gradients
from bifrons.diagnostics.recommendation import along_generation, balanced_weights
from bifrons.records import Gramian
from bifrons.strategies import STRATEGIES


def advice(*, tokens: tuple[float, float] | None = None, count: int = 80, **settings: float):
    batches = random_batches(count, **settings)  # type: ignore[arg-type]
    if tokens is not None:
        batches = [replace(batch, tokens=tokens) for batch in batches]
    return recommend(summarise_gradients(batches))


def test_orthogonal_and_balanced_needs_nothing() -> None:
    found = advice(ratio=1.1, signal=3.0)
    assert (found.case, found.strategy, found.weights) == ("balanced", "naive_joint", (1.0, 1.0))
    assert "is fine" in found.sentences[-1]


def test_orthogonal_and_dominated_gets_weights_and_the_share_of_equation_7() -> None:
    """Ratio 12: w_U : w_G = 12 : 1, and 144 / 145 of the sum's squared length lies along generation."""
    found = advice(ratio=12.0, spread=0.05, signal=3.0)
    assert found.case == "dominated" and found.strategy == "fixed_weight"
    assert found.weights is not None and found.generation_share is not None
    assert found.weights[0] / found.weights[1] == pytest.approx(12.0, rel=0.03)
    assert sum(found.weights) == pytest.approx(2.0)
    assert found.generation_share == pytest.approx(144 / 145, abs=2e-3)
    text = " ".join(found.sentences)
    assert "99.3% of its squared length" in text and "4.8 degrees" in text
    assert "`length_normalized` would weigh" in text and "less than the gradients ask for" in text


def test_a_ratio_that_jumps_asks_for_running_medians() -> None:
    assert advice(ratio=12.0, spread=1.0, signal=3.0).strategy == "gradient_weighted_smoothed"


def test_the_token_ratio_may_do_as_well() -> None:
    found = advice(ratio=12.0, spread=0.05, signal=3.0, tokens=(5.0, 60.0))
    assert "`length_normalized` does the same" in found.sentences[-1]


def test_understanding_may_dominate_too() -> None:
    found = advice(ratio=0.1, spread=0.05, signal=3.0)
    assert found.weights is not None and found.weights[1] == pytest.approx(20 / 11, rel=0.01)
    assert "The understanding gradient is 10" in found.sentences[-1]


def test_conflict_names_methods_that_exist() -> None:
    found = advice(cosine=-0.8, ratio=12.0, signal=3.0)
    assert (found.case, found.strategy, found.weights) == ("conflict", "pcgrad", None)
    assert "`gradient_weighted`" in found.sentences[-1] and found.strategy in STRATEGIES
    assert "Lengths differ" not in " ".join(advice(cosine=-0.8, ratio=1.0, signal=3.0).sentences)


@pytest.mark.parametrize(("ratio", "strategy"), [(1.0, "naive_joint"), (12.0, "fixed_weight")])
def test_alignment_has_no_conflict_to_solve(ratio: float, strategy: str) -> None:
    found = advice(cosine=0.8, ratio=ratio, spread=0.05, signal=3.0)
    assert (found.case, found.strategy) == ("aligned", strategy)


@pytest.mark.parametrize(("ratio", "strategy"), [(1.0, "naive_joint"), (12.0, "fixed_weight")])
def test_what_is_not_settled_is_said_with_the_batches_it_takes(ratio: float, strategy: str) -> None:
    rng = np.random.default_rng(1)
    u = rng.normal(size=(12, 2, 4))
    found = recommend(summarise_gradients(batches_of(u, ratio * rng.normal(size=u.shape) + 0.1 * u), margin=0.15))
    assert found.case == "not settled", "twelve batches of eight numbers"
    assert any("batches would settle it" in s or "crosses" in s for s in found.sentences)
    if ratio > 1:
        assert found.weights is not None and found.weights[0] > 1.5


def test_too_few_and_degenerate_get_no_weights() -> None:
    few = advice(count=9)
    assert (few.case, few.strategy, few.weights, few.generation_share) == ("too few", None, None, None)
    dead = [replace(b, total=Gramian(1.0, 0.0, 0.0)) for b in random_batches(20)]
    found = recommend(summarise_gradients(dead))
    assert found.case == "degenerate" and found.sentences[0].startswith("No. In 20 of 20 batches")


def test_equal_batches_have_no_interval_and_still_an_answer() -> None:
    first = random_batches(1, ratio=12.0)[0]
    found = recommend(summarise_gradients([replace(first, batch=i) for i in range(12)]))
    assert found.case == "dominated" and "equal" in found.sentences[0]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(1e-4, 1e4), st.floats(-1, 1))
def test_equation_7_against_vectors(ratio: float, cosine: float) -> None:
    """The angle of a sum of two plane vectors to the second."""
    u = np.array([cosine, math.sqrt(1 - cosine**2)])
    g = np.array([ratio, 0.0])
    total = u + g
    length = float(np.linalg.norm(total))
    if length > 1e-3:
        assert along_generation(ratio, cosine) == pytest.approx(total[0] / length, abs=1e-6)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(1e-4, 1e4))
def test_balanced_weights_make_equal_lengths(ratio: float) -> None:
    w_u, w_g = balanced_weights(ratio)
    assert w_u == pytest.approx(w_g * ratio) and w_u + w_g == pytest.approx(2.0)

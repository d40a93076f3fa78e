"""Uniformity over layers: alike, unlike, and not to be told."""

from __future__ import annotations

import numpy as np
from made import batches_of, random_batches

from bifrons.diagnostics.layers import layer_table, uniformity


def tilted(count: int, tilt: float, seed: int = 0) -> list:
    """Layers whose cosine rises from -tilt to tilt."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(count, 5, 100))
    lean = np.linspace(-tilt, tilt, 5)[:, None]
    g = lean * u + np.sqrt(1 - lean**2) * rng.normal(size=u.shape)
    return batches_of(u, g)


def test_layers_that_are_alike() -> None:
    """Under the null the permutation p is spread over 0 .. 1, and many batches show uniformity within the margin."""
    values = [uniformity(tilted(10, 0.0, seed), 0.1).p for seed in range(20)]
    known = [p for p in values if p is not None]
    assert len(known) == 20 and sum(p < 0.05 for p in known) <= 4 and max(known) > 0.5
    found = uniformity(tilted(200, 0.0), 0.1)
    assert found.verdict == "uniform within the margin" and abs(found.largest or 1) < 0.05


def test_layers_that_differ() -> None:
    found = uniformity(tilted(60, 0.4), 0.1)
    assert found.verdict == "not uniform"
    assert found.p is not None and found.p < 0.01 and found.layer in (0, 4)
    assert found.slope.value is not None and abs(found.slope.value - 0.2) < 0.03


def test_few_noisy_batches_settle_nothing() -> None:
    found = uniformity(random_batches(6, signal=0.0, layers=8, seed=2), 0.02)
    assert found.verdict == "not settled"


def test_one_layer_and_no_layer() -> None:
    assert "one layer" in uniformity(random_batches(9, layers=1), 0.1).reason
    assert uniformity([], 0.1).verdict == "not testable"
    assert layer_table([]) == ()


def test_the_table_has_each_task_with_itself() -> None:
    found = layer_table(random_batches(30, signal=2.0, layers=3))
    assert [layer.layer for layer in found] == [0, 1, 2]
    assert all((layer.intra_generation.value or 0) > 0.5 for layer in found)
    assert found[0].ratio.n == 30 and found[0].intra_understanding.n == 29

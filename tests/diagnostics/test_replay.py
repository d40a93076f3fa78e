"""Replaying a strategy: its own run gives its own weights; others give the fold by hand; no torch is needed."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from made import steps_of

from bifrons.diagnostics import replay_steps
from bifrons.diagnostics.replay import as_json, recorded
from bifrons.records import Gramian, Observation, Weights
from bifrons.strategies import STRATEGIES, default_interval, make_strategy

RNG = np.random.default_rng(0)
GRAMIANS = [Gramian(u * u, c * u * g, g * g) for u, g, c in RNG.uniform([0.5, 5, -0.9], [2, 20, 0.9], size=(60, 3))]
STEPS = steps_of(GRAMIANS)


def test_the_run_that_a_strategy_trained_is_replayed_to_its_own_weights() -> None:
    """Weights folded as the training loop folds them."""
    strategy = make_strategy("gradient_weighted", interval=default_interval(60))
    state, expected = strategy.start(), list[Weights]()
    for i, gramian in enumerate(GRAMIANS):
        state, weights = strategy.weigh(state, Observation(step=i, gramian=gramian, num_tokens=(30.0, 60.0)))
        expected.append(weights)
    assert replay_steps(STEPS, "gradient_weighted").weights == tuple(expected)
    assert len(set(expected)) == 20, "recomputed every three steps, from step 3 on, and 1 : 1 before"


def test_weights_by_hand() -> None:
    """PCGrad's formula, token counts 30 and 60, and the median of the second half of the dynamic weights."""
    pcgrad = replay_steps(STEPS, "pcgrad").weights
    for weights, g in zip(pcgrad, GRAMIANS, strict=True):
        assert weights.understanding == pytest.approx(1 + max(0.0, -g.ug) / g.uu)
    assert set(replay_steps(STEPS, "length_normalized").weights) == {Weights(2 * 60 / 90, 2 * 30 / 90)}
    dynamic = replay_steps(STEPS, "gradient_weighted").weights[30:]
    fixed = replay_steps(STEPS, "fixed_weight")
    assert {w.understanding for w in fixed.weights} == {statistics.median(w.understanding for w in dynamic)}


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_can_be_replayed(name: str) -> None:
    found = replay_steps(STEPS, name)
    assert len(found.weights) == 60
    assert found.generation_share is None or 0 <= found.generation_share <= 1


def test_the_share_along_generation() -> None:
    """Orthogonal, generation twice as long: 4 / 5 under 1 : 1, half under balanced weights, all of it alone."""
    steps = steps_of([Gramian(1.0, 0.0, 4.0)] * 40)
    assert replay_steps(steps, "naive_joint").generation_share == pytest.approx(0.8)
    assert replay_steps(steps, "generation_only").generation_share == 1.0
    assert replay_steps(steps, "understanding_only").generation_share is None
    last = recorded(steps_of([Gramian(1.0, 0.0, 4.0)] * 2, (4 / 3, 2 / 3)), "mine")
    assert last.generation_share == pytest.approx(0.5)


def test_degenerate_steps_are_flagged() -> None:
    steps = steps_of([Gramian(1.0, 0.1, 4.0), Gramian(0.0, 0.0, 4.0), Gramian(1.0, 0.1, float("nan"))])
    found = replay_steps(steps, "pcgrad")
    assert found.flagged == 2 and found.weights[1] == Weights(1.0, 1.0, "degenerate")
    assert "not that strategy's result" in as_json([found])["caveat"]


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="no strategy 'nobody'"):
        replay_steps(STEPS, "nobody")
    with pytest.raises(ValueError, match="trained one task"):
        replay_steps(steps_of([None, None]), "pcgrad")
    with pytest.raises(ValueError, match="no step records"):
        replay_steps([], "pcgrad")

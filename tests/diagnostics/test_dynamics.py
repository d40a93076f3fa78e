"""Cosine and ratio along a run: near 0, away from it, drifting, and runs that cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from made import steps_of

from bifrons.diagnostics import run_dynamics
from bifrons.records import Gramian


def run(cosines: np.ndarray, ratio: float = 12.0, **settings: float):
    return run_dynamics(steps_of([Gramian(1.0, float(c) * ratio, ratio**2) for c in cosines]), **settings)


NOISE = np.random.default_rng(0).normal(scale=0.02, size=200)


def test_a_cosine_that_stays_near_zero() -> None:
    found = run(NOISE)
    assert found.verdict == "stays near 0" and len(found.stretches) == 10
    assert found.cosine.value == pytest.approx(NOISE.mean())
    assert found.ratio.value == pytest.approx(12.0)
    assert found.drift.low is not None and found.drift.high is not None and found.drift.low < 0 < found.drift.high


def test_a_cosine_that_leaves() -> None:
    assert run(NOISE - 0.3).verdict == "does not stay near 0"
    drifting = run(NOISE + np.linspace(-0.3, 0.3, 200))
    assert drifting.drift.low is not None and drifting.drift.low > 0.4
    assert drifting.verdict != "stays near 0", "near 0 on average only"
    late = NOISE.copy()
    late[180:] = 0.15
    assert run(late).verdict == "near 0 on average, but not in every stretch"


def test_wide_noise_is_not_settled() -> None:
    assert run(np.random.default_rng(1).normal(scale=0.8, size=20).clip(-1, 1), margin=0.05).verdict == "not settled"


def test_what_cannot_be_tested_says_why() -> None:
    """A single-task run has no Gramian; a short one too few; neither gives a 0."""
    single = run_dynamics(steps_of([None] * 30))
    assert single.verdict == "not testable" and single.cosine.value is None
    assert single.cosine_within.reason == single.drift.reason == "0 usable steps with a cosine, and it needs 20"
    short = run(NOISE[:12])
    assert short.verdict == "not testable" and short.cosine.value is not None and short.largest_stretch is None
    with pytest.raises(ValueError, match="no step records"):
        run_dynamics([])
    with pytest.raises(ValueError, match="margin of the cosine is -1"):
        run(NOISE, margin=-1)


def test_weights_are_those_of_the_second_half() -> None:
    steps = steps_of([Gramian(1.0, 0.0, 4.0)] * 8)
    second = steps_of([Gramian(1.0, 0.0, 4.0)] * 8, (1.5, 0.5))
    found = run_dynamics([*steps[:4], *second[4:]])
    assert (found.weight_understanding.value, found.weight_generation.value) == (1.5, 0.5)

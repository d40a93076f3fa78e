"""How these tests write an observation down."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from bifrons.records import Gramian, Observation

Observe = Callable[..., Observation]


@pytest.fixture
def observe() -> Observe:
    """An observation from two norms and a cosine."""

    def make(
        step: int = 0,
        understanding: float = 1.0,
        generation: float = 1.0,
        cosine: float = 0.0,
        num_tokens: tuple[float, float] = (12.0, 64.0),
    ) -> Observation:
        product = cosine * understanding * generation if math.isfinite(understanding * generation) else 0.0
        return Observation(
            step=step,
            gramian=Gramian(understanding**2, product, generation**2),
            num_tokens=num_tokens,
        )

    return make

"""TorchJD as the oracle: our weights, applied to real gradient vectors, give its aggregated vector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import IMTLG, PCGrad, Sum

from bifrons.gradients import combine, gramians
from bifrons.records import Observation
from bifrons.strategies import Strategy, make_strategy

NORMS = (1e-2, 0.3, 1.0, 14.0, 1e2)
COSINES = (-0.999, -0.5, -0.05, 0.0, 0.05, 0.5, 0.999)
SIZE = 64


def gradients_with(
    norm_understanding: float, norm_generation: float, cosine: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Two vectors in float64 with these norms and this cosine, in a random plane."""
    generator = torch.Generator().manual_seed(seed)
    plane, _ = torch.linalg.qr(torch.randn(SIZE, 2, dtype=torch.float64, generator=generator))
    first, second = plane.T
    return first * norm_understanding, (cosine * first + (1 - cosine**2) ** 0.5 * second) * norm_generation


def aggregated(strategy: Strategy, u: Tensor, g: Tensor, step: int = 1) -> Tensor:
    """The vector that a strategy makes of two gradients, through our Gramian and our weighted sum."""
    total, _ = gramians([u], [g], [0])
    _, weights = strategy.weigh(strategy.start(), Observation(step=step, gramian=total, num_tokens=(1.0, 1.0)))
    assert weights.flag == ""
    (vector,) = combine([u], [g], weights.understanding, weights.generation)
    assert vector is not None
    return vector


def assert_same_vector(ours: Tensor, theirs: Tensor, scale: float) -> None:
    """Equal to 1e-9 of the larger gradient: a sum of two opposed vectors is small, and has no more digits."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("cosine", COSINES)
@pytest.mark.parametrize("norm_generation", NORMS)
@pytest.mark.parametrize("norm_understanding", NORMS)
def test_pcgrad_and_sum(norm_understanding: float, norm_generation: float, cosine: float) -> None:
    """Both projections are on the original gradients, as TorchJD's are for two tasks in whatever order it draws."""
    u, g = gradients_with(norm_understanding, norm_generation, cosine)
    scale = max(norm_understanding, norm_generation)
    matrix = torch.stack([u, g])
    assert_same_vector(aggregated(make_strategy("pcgrad"), u, g), PCGrad()(matrix), scale)
    assert_same_vector(aggregated(make_strategy("naive_joint"), u, g), Sum()(matrix), scale)


@pytest.mark.parametrize("cosine", COSINES)
@pytest.mark.parametrize("norm_generation", NORMS)
@pytest.mark.parametrize("norm_understanding", NORMS)
def test_gradient_weighting_is_twice_imtl_g(norm_understanding: float, norm_generation: float, cosine: float) -> None:
    """For two tasks IMTL-G asks for equal projections on both unit gradients, and the solution is w_i ~ 1 / |g_i|.

    That is Eq. 8 and 9 of the study; IMTL-G's weights sum to 1 and ours to 2.
    """
    u, g = gradients_with(norm_understanding, norm_generation, cosine)
    ours = aggregated(make_strategy("gradient_weighted", interval=1), u, g)
    smoothed = aggregated(make_strategy("gradient_weighted_smoothed", interval=1), u, g)
    theirs = 2 * IMTLG()(torch.stack([u, g]))
    scale = max(norm_understanding, norm_generation)
    assert_same_vector(ours, theirs, scale)
    if 1 / 39 < norm_understanding / norm_generation < 39:  # inside the bounds [0.05, 1.95]
        assert_same_vector(smoothed, theirs, scale)


@pytest.mark.parametrize("cosine", COSINES)
def test_pcgrad_leaves_no_conflict(cosine: float) -> None:
    """Two tasks: the aggregated vector opposes neither gradient, while the plain sum opposes the smaller one."""
    u, g = gradients_with(1.0, 14.0, cosine)
    vector = aggregated(make_strategy("pcgrad"), u, g)
    assert vector @ u >= -1e-12
    assert vector @ g >= -1e-12
    assert bool((u + g) @ u < 0) == (cosine < -1 / 14)


def test_pcgrads_weight_is_far_from_one_where_norms_differ() -> None:
    """The study's own figure: cosine -0.05 at ratio 14 gives w_U = 1.7."""
    u, g = gradients_with(1.0, 14.0, -0.05)
    total, _ = gramians([u], [g], [0])
    strategy = make_strategy("pcgrad")
    _, weights = strategy.weigh(strategy.start(), Observation(step=0, gramian=total, num_tokens=(1.0, 1.0)))
    assert weights.understanding == pytest.approx(1.7, rel=1e-9)
    assert weights.generation == pytest.approx(1 + 0.05 / 14, rel=1e-9)

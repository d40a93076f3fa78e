"""LPIPS distances of feature maps, against every pair written out."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch.nn.functional import normalize

from bifrons.scorers.perceptual import mean_pairwise_distance, pair_distances


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_every_pair_written_out(weighted: bool) -> None:
    """Two layers of different size, with and without weights; and the mean of single pairs is the mean of all."""
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(5, 4, 3, generator=generator), torch.randn(5, 9, 2, generator=generator)]
    weights = [torch.rand(3, generator=generator), torch.rand(2, generator=generator)]
    used = weights if weighted else [torch.ones(3), torch.ones(2)]
    each = []
    for i, j in combinations(range(5), 2):
        total = 0.0
        for layer, weight in zip(layers, used, strict=True):
            for a, b in zip(layer[i], layer[j], strict=True):
                total += float((weight * (normalize(a, dim=0) - normalize(b, dim=0)) ** 2).sum()) / layer.shape[1]
        each.append(total)
    assert mean_pairwise_distance(layers, weights if weighted else None) == pytest.approx(sum(each) / 10, rel=1e-5)
    one, others = [layer[:1].expand(4, -1, -1) for layer in layers], [layer[1:] for layer in layers]
    assert pair_distances(one, others, used).tolist() == pytest.approx(each[:4], rel=1e-5)


def test_equal_pictures_are_not_diverse_and_one_has_no_distance() -> None:
    layer = torch.randn(1, 4, 3)
    assert mean_pairwise_distance([layer.expand(6, -1, -1)]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="needs two"):
        mean_pairwise_distance([layer])

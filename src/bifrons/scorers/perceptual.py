"""Distances between pictures by what a network sees at each place of them (Zhang et al. 2018, LPIPS)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


def mean_pairwise_distance(layers: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> float:
    """The mean LPIPS distance over all pairs of n pictures, from features of each layer, [n, places, channels].

    A pair's distance: features of unit length at each place, their squared difference weighted by channel, summed over
    channels, averaged over places, summed over layers. `weights` are [channels] of each layer; without, all are 1 (the
    paper's unlearned baseline). Raises ValueError for fewer than two pictures.
    """
    count = len(layers[0])
    if count < 2:
        raise ValueError(f"a distance between pictures needs two; there are {count}")
    total = 0.0
    for number, features in enumerate(layers):
        unit = normalize(features.double(), dim=-1)
        if weights is not None:
            unit = unit * weights[number].double().sqrt()
        # the mean over pairs of |a - b|^2 is 2 n / (n - 1) times the mean squared distance from the mean
        spread = ((unit - unit.mean(dim=0)) ** 2).sum(dim=-1).mean()
        total += float(2 * count / (count - 1) * spread)
    return total


def pair_distances(layers: Sequence[Tensor], others: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """LPIPS of each picture with the other of its index, [n]; features as above."""
    found = torch.zeros(len(layers[0]), dtype=torch.float64)
    for first, second, weight in zip(layers, others, weights, strict=True):
        square = (normalize(first.double(), dim=-1) - normalize(second.double(), dim=-1)) ** 2
        found += (square * weight.double()).sum(dim=-1).mean(dim=-1)
    return found

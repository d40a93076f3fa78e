"""Whether the cosine of the task gradients is the same in every layer (claim 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bifrons.diagnostics.batches import Batch
from bifrons.diagnostics.estimate import Estimate, Within, geometric_mean_of, mean_of, too_few, within
from bifrons.stats import linear_slope, one_sample

NUM_PERMUTATIONS = 2000
_CELLS_AT_ONCE = 1 << 20
FEWEST_BATCHES = 5  # below 5 the smallest p that permutations of few layers can give says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer's figures over batches: cosine and ratio of the two tasks, cosines of each task with itself."""

    layer: int
    cosine: Estimate
    ratio: Estimate
    intra_understanding: Estimate
    intra_generation: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniformity:
    """How far the layers' mean cosines lie apart.

    `p` is of a permutation test: were the layers alike, a batch's cosines could change places among them. The spread of
    the layers' means is set against that of batches so shuffled. `largest` is the largest difference of a layer from
    the mean of all, at `layer`; `slope` the change of the cosine from one layer to the next. `within` says that every
    layer's difference is within the margin: each is tested at 5%, and all have to hold, so nothing is corrected.
    """

    p: float | None = None
    largest: float | None = None
    layer: int | None = None
    slope: Estimate
    within: Within
    reason: str = ""

    @property
    def verdict(self) -> str:
        """`uniform` within the margin, `not uniform` where the test tells layers apart and the margin fails, else not
        settled.
        """
        if self.p is None:
            return "not testable"
        if self.within.holds:
            return "uniform within the margin"
        return "not uniform" if self.p < 0.05 else "not settled"


def layer_table(batches: Sequence[Batch]) -> tuple[Layer, ...]:
    depth = max((len(batch.layers) for batch in batches), default=0)
    made: list[Layer] = []
    for layer in range(depth):
        inter = [batch.layers[layer] for batch in batches]
        intra = [
            [c for b in batches if (seen := getattr(b, task)) and (c := seen.layers[layer].cosine) is not None]
            for task in ("understanding", "generation")
        ]
        found = Layer(
            layer=layer,
            cosine=mean_of([c for g in inter if (c := g.cosine) is not None]),
            ratio=geometric_mean_of([r for g in inter if (r := g.generation_over_understanding) is not None]),
            intra_understanding=mean_of(intra[0]),
            intra_generation=mean_of(intra[1]),
        )
        made.append(found)
    return tuple(made)


def uniformity(batches: Sequence[Batch], margin: float, seed: int = 0) -> Uniformity:
    """Batches in which every layer has a cosine are used."""
    rows = [[layer.cosine for layer in batch.layers] for batch in batches]
    whole = [[c for c in row if c is not None] for row in rows if row and None not in row]
    depth = len(whole[0]) if whole else 0
    slope = depth_slope(whole)
    if depth < 2:
        reason = "the model has one layer" if depth else "no batch has a cosine in every layer"
        return Uniformity(slope=slope, within=Within(margin=margin, reason=reason), reason=reason)
    if len(whole) < FEWEST_BATCHES:
        reason = too_few(len(whole), FEWEST_BATCHES)
        return Uniformity(slope=slope, within=Within(margin=margin, reason=reason), reason=reason)
    cosines_BL = np.asarray(whole)
    deviation_BL = cosines_BL - cosines_BL.mean(axis=1, keepdims=True)
    means_L = deviation_BL.mean(axis=0)
    farthest = int(np.abs(means_L).argmax())
    every = [within(one_sample, deviation_BL[:, layer].tolist(), margin) for layer in range(depth)]
    return Uniformity(
        p=permutation_p(deviation_BL, seed),
        largest=float(means_L[farthest]),
        layer=farthest,
        slope=slope,
        within=joined(every, margin),
    )


def permutation_p(deviation_BL: NDArray[np.float64], seed: int) -> float:
    """The share of shuffles, the data's own among them, in which the layers' means lie at least as far apart."""
    rng = np.random.default_rng([seed, 3])
    seen = float(deviation_BL.mean(axis=0).var())
    at_once = max(1, _CELLS_AT_ONCE // deviation_BL.size)
    wider = 0
    for start in range(0, NUM_PERMUTATIONS, at_once):
        count = min(at_once, NUM_PERMUTATIONS - start)
        shuffled_PBL = rng.permuted(np.broadcast_to(deviation_BL, (count, *deviation_BL.shape)), axis=2)
        wider += int((shuffled_PBL.mean(axis=1).var(axis=1) >= seen * (1 - 1e-12)).sum())
    return (1 + wider) / (1 + NUM_PERMUTATIONS)


def joined(every: Sequence[Within], margin: float) -> Within:
    """All of them at once: the largest p, and the verdict that all share."""
    known = [each.p for each in every if each.p is not None]
    if len(known) < len(every):
        return Within(margin=margin, reason=next(each.reason for each in every if each.p is None))
    holds = all(each.holds for each in every)
    return Within(margin=margin, p=max(known), verdict="different but within the margin" if holds else "inconclusive")


def depth_slope(whole: Sequence[Sequence[float]]) -> Estimate:
    """The change of the cosine from one layer to the next: a slope for each batch, and their mean over batches."""
    depth = len(whole[0]) if whole else 0
    if depth < 3:
        return Estimate(value=None, n=len(whole), reason=f"{depth} layers, and a slope over them needs 3")
    slopes = [linear_slope(list(range(depth)), row).slope for row in whole]
    return mean_of([slope for slope in slopes if slope is not None])

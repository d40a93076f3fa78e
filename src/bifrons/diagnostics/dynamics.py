"""How cosine, ratio and weights moved along a stored run, from its step records alone (claims 9 and 19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from bifrons.diagnostics.estimate import Estimate, Within, mean_of_series, too_few, within
from bifrons.diagnostics.summary import COSINE_MARGIN
from bifrons.records import StepRecord
from bifrons.stats import linear_slope, one_sample

BLOCKS = 10  # parts of a run, whose means are taken as independent for the equivalence test


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """Means over steps with a block bootstrap's interval, since neighbouring steps depend on each other.

    `cosine_within` is an equivalence test of the cosine's mean to 0 over ten equal stretches of the run; `drift` is the
    change of the cosine over the whole run by the slope over those stretches. Weights are those of the second half.
    """

    num_steps: int
    num_with_gramian: int
    cosine: Estimate
    cosine_within: Within
    stretches: tuple[float, ...]
    largest_stretch: float | None
    drift: Estimate
    ratio: Estimate
    weight_understanding: Estimate
    weight_generation: Estimate
    flags: dict[str, int]

    @property
    def verdict(self) -> str:
        """Whether the cosine stays near 0: its mean, and every stretch's."""
        if self.cosine_within.verdict is None:
            return "not testable"
        if not self.cosine_within.holds:
            return "not settled" if self.cosine_within.verdict == "inconclusive" else "does not stay near 0"
        assert self.largest_stretch is not None
        stays = abs(self.largest_stretch) <= self.cosine_within.margin
        return "stays near 0" if stays else "near 0 on average, but not in every stretch"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


def run_dynamics(steps: Sequence[StepRecord], *, margin: float = COSINE_MARGIN, seed: int = 0) -> Dynamics:
    """Raises ValueError for no steps and for a margin that is not above 0."""
    if not steps:
        raise ValueError("the run has no step records")
    if not margin > 0:
        raise ValueError(f"the margin of the cosine is {margin}; it has to be above 0")
    cosines = [c for step in steps if step.gramian and (c := step.gramian.cosine) is not None]
    ratios = [r for step in steps if step.gramian and (r := step.gramian.generation_over_understanding) is not None]
    means = stretch_means(cosines)
    second = [step.weights for step in steps[len(steps) // 2 :]]
    flags: dict[str, int] = {}
    for step in steps:
        if step.weights.flag:
            flags[step.weights.flag] = flags.get(step.weights.flag, 0) + 1
    return Dynamics(
        num_steps=len(steps),
        num_with_gramian=sum(step.gramian is not None for step in steps),
        cosine=mean_of_series(cosines, seed, "steps with a cosine"),
        cosine_within=stretches_within(means, len(cosines), margin),
        stretches=means,
        largest_stretch=max(means, key=abs) if means else None,
        drift=drift(means, len(cosines)),
        ratio=mean_of_series(ratios, seed, "steps with a ratio"),
        weight_understanding=mean_of_series([w.understanding for w in second], seed, "steps"),
        weight_generation=mean_of_series([w.generation for w in second], seed, "steps"),
        flags=flags,
    )


def stretch_means(values: Sequence[float]) -> tuple[float, ...]:
    """Means of ten stretches of equal length, but for one value; none where there are fewer than two values a
    stretch.
    """
    if len(values) < 2 * BLOCKS:
        return ()
    ends = [len(values) * i // BLOCKS for i in range(BLOCKS + 1)]
    parts = [values[low:high] for low, high in pairwise(ends)]
    return tuple(sum(part) / len(part) for part in parts)


def stretches_within(means: Sequence[float], num_values: int, margin: float) -> Within:
    if not means:
        return Within(margin=margin, reason=too_few(num_values, 2 * BLOCKS, "steps with a cosine"))
    return within(one_sample, means, margin, "stretches")


def drift(means: Sequence[float], num_values: int) -> Estimate:
    if not means:
        return Estimate(value=None, n=num_values, reason=too_few(num_values, 2 * BLOCKS, "steps with a cosine"))
    found = linear_slope([i / (BLOCKS - 1) for i in range(BLOCKS)], means)
    assert found.slope is not None and found.interval is not None, "the places of the stretches differ"
    return Estimate(value=found.slope, low=found.interval.low, high=found.interval.high, n=num_values)

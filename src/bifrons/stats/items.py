"""Scores of the same items under two methods and several training seeds: every test that a negative claim needs.

Items are paired: the score of an item is its mean over seeds, and the paired t-test, the equivalence test and the
smallest detectable effect are over items. They take the seeds as given; the two-way bootstrap lets seeds vary too, and
`seed_std` shows how far they lie apart. A verdict should ask both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bifrons.stats.bootstrap import two_way_bootstrap_difference
from bifrons.stats.compare import paired
from bifrons.stats.describe import Interval, moments_of
from bifrons.stats.equivalence import margin_in_raw_units, tost
from bifrons.stats.power import smallest_detectable_paired

RESAMPLES = 2000
Items = Mapping[str, float]  # score by item id


@dataclass(frozen=True, slots=True)
class ItemComparison:
    """Treatment minus baseline, in raw units.

    `interval` (95%) and `narrow` (90%, that of the equivalence test) are paired over items, `bootstrap` and
    `bootstrap_narrow` two-way over seeds and items. `margin` and `smallest_effect` (80% power) are raw. `seed_std` is
    the standard deviation of the deltas of single seeds. What is undefined is None, and `reason` says why.
    """

    delta: float
    num_items: int
    num_seeds: int
    t: float | None = None
    p: float | None = None
    interval: Interval | None = None
    narrow: Interval | None = None
    bootstrap: Interval | None = None
    bootstrap_narrow: Interval | None = None
    seed_std: float | None = None
    margin: float | None = None
    equivalence_p: float | None = None
    smallest_effect: float | None = None
    reason: str | None = None


def compare_items(
    treatment: Sequence[Items], baseline: Sequence[Items], *, margin: float = 0.2, spread: float | None = None
) -> ItemComparison:
    """Compare runs of two methods, one mapping of item to score a seed, over the items that every run has.

    Where both have the same number of seeds the runs are paired in order; else the baseline is averaged over its runs.
    `margin` is in standard deviations over items of the baseline, or of `spread` in raw units where it is given.
    ValueError for a method without runs and for fewer than two common items.
    """
    if not treatment or not baseline:
        raise ValueError("a comparison needs at least one run of both methods")
    common = [item for item in treatment[0] if all(item in run for run in (*treatment[1:], *baseline))]
    if len(common) < 2:
        raise ValueError(f"the runs have {len(common)} items in common; at least 2 are needed")
    first_SI = matrix(treatment, common)
    second_SI = matrix(baseline, common)
    if len(first_SI) != len(second_SI):
        second_SI = second_SI.mean(axis=0, keepdims=True)
    comparison = paired(first_SI.mean(axis=0), second_SI.mean(axis=0))
    deltas = (first_SI - second_SI).mean(axis=1)
    seed_std = float(np.std(deltas, ddof=1)) if len(deltas) > 1 else None
    size = (len(common), len(treatment))
    unit = moments_of(second_SI.mean(axis=0)).std if spread is None else spread
    raw_margin = margin_in_raw_units(margin, standard_deviation=unit) if unit > 0 else None
    if comparison.interval is None:
        return ItemComparison(comparison.delta, *size, seed_std=seed_std, margin=raw_margin, reason=comparison.reason)
    wide, slim = (
        two_way_bootstrap_difference(first_SI, second_SI, seed=0, num_resamples=RESAMPLES, level=level)
        for level in (0.95, 0.9)
    )
    equal = None if raw_margin is None else tost(comparison, margin=raw_margin)
    deviation = comparison.standard_error * len(common) ** 0.5
    return ItemComparison(
        comparison.delta,
        *size,
        t=comparison.t,
        p=comparison.p,
        interval=comparison.interval,
        narrow=paired(first_SI.mean(axis=0), second_SI.mean(axis=0), level=0.9).interval,
        bootstrap=wide.interval,
        bootstrap_narrow=slim.interval,
        seed_std=seed_std,
        margin=raw_margin,
        equivalence_p=None if equal is None else equal.p,
        smallest_effect=smallest_detectable_paired(len(common), standard_deviation_of_differences=deviation).raw,
        reason=None if raw_margin is not None else "the baseline has no variance over items, so there is no margin",
    )


def matrix(runs: Sequence[Items], items: Sequence[str]) -> np.ndarray:
    """Scores of shape [seeds, items]."""
    return np.asarray([[run[item] for item in items] for run in runs], dtype=np.float64)

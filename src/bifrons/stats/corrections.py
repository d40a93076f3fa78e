"""Corrections for many tests: Bonferroni, and Holm's step-down, which is never weaker.

A test that could not be run has no p value: None and NaN pass through as None and are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def bonferroni(p_values: Sequence[float | None], *, num_comparisons: int | None = None) -> tuple[float | None, ...]:
    """Adjusted p values min(1, m * p), in input order.

    m is the number of p values that exist, or `num_comparisons` where the family was declared larger, such as the
    paper's 9 methods x 3 metrics. ValueError for a p outside 0 .. 1, or a declared family smaller than the p values.
    """
    checked = [_p_or_none(p) for p in p_values]
    family = _family(checked, num_comparisons)
    return tuple(None if p is None else min(1.0, family * p) for p in checked)


def holm(p_values: Sequence[float | None], *, num_comparisons: int | None = None) -> tuple[float | None, ...]:
    """Holm's adjusted p values, in input order: the k-th smallest (from 0) times m - k, made non-decreasing.

    m is as in `bonferroni`; members of a declared family without a p value rank last, as if they were 1. Valid under
    any dependence between the tests (Holm 1979).
    """
    checked = [_p_or_none(p) for p in p_values]
    family = _family(checked, num_comparisons)
    adjusted: list[float | None] = [None] * len(checked)
    running = 0.0
    existing = sorted((p, position) for position, p in enumerate(checked) if p is not None)
    for rank, (p, position) in enumerate(existing):
        running = max(running, min(1.0, (family - rank) * p))
        adjusted[position] = running
    return tuple(adjusted)


def _p_or_none(p: float | None) -> float | None:
    if p is None or math.isnan(p):
        return None
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p_values must lie in 0 .. 1, got {p}")
    return float(p)


def _family(p_values: Sequence[float | None], num_comparisons: int | None) -> int:
    num_existing = sum(p is not None for p in p_values)
    if num_comparisons is None:
        return num_existing
    if num_comparisons < num_existing:
        raise ValueError(f"num_comparisons is {num_comparisons}, fewer than the {num_existing} p values given")
    return num_comparisons

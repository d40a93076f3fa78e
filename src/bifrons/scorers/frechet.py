"""The Frechet distance of two sets of features, each taken as a normal distribution (Heusel et al. 2017, FID)."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    """|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of features [n, width] and [m, width], in float64.

    trace((C1 C2)^(1/2)) is the sum of the singular values of X1 X2', with X the centred features over sqrt(n - 1):
    exact for covariances of any rank, where a matrix square root of C1 C2 needs a fudge. The estimate is biased upwards
    by about a constant over n, so only sets of equal sizes compare. Raises ValueError for fewer than two rows, for
    different widths and for values that are not finite.
    """
    sets: list[np.ndarray] = []
    for name, values in (("first", first), ("second", second)):
        rows = np.asarray(values, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < 2:
            raise ValueError(f"the {name} set of features is {rows.shape}; at least two rows [n, width] are needed")
        if not np.isfinite(rows).all():
            raise ValueError(f"the {name} set of features holds values that are not finite")
        sets.append(rows)
    if sets[0].shape[1] != sets[1].shape[1]:
        raise ValueError(f"features of {sets[0].shape[1]} and of {sets[1].shape[1]} numbers are of different networks")
    means = [rows.mean(axis=0) for rows in sets]
    centred = [(rows - mean) / np.sqrt(len(rows) - 1) for rows, mean in zip(sets, means, strict=True)]
    variances = sum(float((rows**2).sum()) for rows in centred)
    smaller = [upper_triangle(rows) if len(rows) > rows.shape[1] else rows for rows in centred]
    common = float(np.linalg.svd(smaller[0] @ smaller[1].T, compute_uv=False).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum()) + variances - 2 * common)


def upper_triangle(rows: np.ndarray) -> np.ndarray:
    """R of X = QR [width, width], for which R'R = X'X."""
    return cast(np.ndarray, np.linalg.qr(rows, mode="r"))  # numpy's stubs give every mode the result of "reduced"

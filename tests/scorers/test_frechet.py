"""The Frechet distance: closed forms, SciPy's matrix square root, and what it has to refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from bifrons.scorers.frechet import frechet_distance


def by_matrix_root(first: np.ndarray, second: np.ndarray) -> float:
    """The formula as it is written, with covariances of full rank."""
    covariances = [np.cov(rows, rowvar=False) for rows in (first, second)]
    root = sqrtm(covariances[0] @ covariances[1])
    apart = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    return float(apart + np.trace(covariances[0] + covariances[1] - 2 * np.real(root)))


@pytest.mark.parametrize("sizes", [(40, 60), (5, 4), (200, 7)])
def test_equals_the_formula(sizes: tuple[int, int]) -> None:
    """Also where there are fewer rows than numbers, and the covariance has no full rank."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(sizes[0], 6)), 1 + 2 * rng.normal(size=(sizes[1], 6)) @ rng.normal(size=(6, 6))
    assert frechet_distance(first, second) == pytest.approx(by_matrix_root(first, second), rel=1e-5)


def test_moved_and_scaled_sets_by_hand() -> None:
    """A set moved by v is |v|^2 away; one scaled by s about its mean (s - 1)^2 times its total variance."""
    rows = np.random.default_rng(1).normal(size=(50, 8))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(rows, rows + 3) == pytest.approx(9 * 8)
    scaled = rows.mean(axis=0) + 3 * (rows - rows.mean(axis=0))
    assert frechet_distance(rows, scaled) == pytest.approx(4 * rows.var(axis=0, ddof=1).sum())


def test_it_is_biased_upwards_at_small_n() -> None:
    """Two samples of one distribution lie apart, and the more so the fewer there are: why n has to be equal."""
    rng = np.random.default_rng(2)
    few, many = (frechet_distance(rng.normal(size=(n, 16)), rng.normal(size=(n, 16))) for n in (30, 3000))
    assert few > 10 * many > 0


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), "at least two rows"),
        (np.ones((4, 3)), np.ones((4, 2)), "different networks"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(first: np.ndarray, second: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(first, second)

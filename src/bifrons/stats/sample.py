"""Checks of what a caller passes: finite numbers, enough of them, probabilities that are probabilities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def finite_array(values: ArrayLike, name: str) -> FloatArray:
    """The values as float64, in any shape; ValueError when one is no number, infinite or NaN."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers with rows of one length: {error}") from error
    num_bad = int(np.count_nonzero(~np.isfinite(array)))
    if num_bad:
        raise ValueError(f"{name} holds {num_bad} values that are missing, infinite or NaN; leave unscored items out")
    return array


def finite_sample(values: ArrayLike, name: str, minimum: int = 2) -> FloatArray:
    """A one-dimensional sample, shape [n], of at least `minimum` finite values."""
    array = finite_array(values, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {array.shape}")
    if array.size < minimum:
        raise ValueError(f"{name} holds {array.size} values; at least {minimum} are needed")
    return array


def finite_pairs(
    first: ArrayLike, first_name: str, second: ArrayLike, second_name: str, minimum: int = 2
) -> tuple[FloatArray, FloatArray]:
    """Two samples of one length, shape [n] each, whose positions belong together."""
    one, two = finite_sample(first, first_name, minimum), finite_sample(second, second_name, minimum)
    if one.size != two.size:
        raise ValueError(f"{first_name} holds {one.size} values and {second_name} {two.size}; pairs need one length")
    return one, two


def finite_number(value: float, name: str) -> float:
    """The value as a float; ValueError when it is infinite or NaN."""
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value}")
    return float(value)


def positive_number(value: float, name: str) -> float:
    """The value as a float; ValueError unless it is finite and above zero."""
    if finite_number(value, name) <= 0.0:
        raise ValueError(f"{name} must be above zero, not {value}")
    return float(value)


def open_probability(value: float, name: str) -> float:
    """The value as a float; ValueError unless it lies strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, not {value}")
    return float(value)


def count(value: int, name: str, minimum: int = 2) -> int:
    """The value as an int; ValueError unless it is a whole number of at least `minimum`."""
    if value != int(value) or value < minimum:
        raise ValueError(f"{name} must be a whole number of at least {minimum}, not {value}")
    return int(value)


def is_constant(values: FloatArray, scale: float | None = None) -> bool:
    """Whether all values are equal: exactly, or up to the rounding of the `scale` of what they were computed from.

    Differences of equal steps, such as (0.1 + 0.2) - 0.2 against 0.1, differ in their last bits; without the scale
    those bits would pass for variance and give an enormous t.
    """
    tolerance = 0.0 if scale is None else 4.0 * float(np.finfo(np.float64).eps) * scale
    return float(np.max(values)) - float(np.min(values)) <= tolerance


def largest_magnitude(*arrays: FloatArray) -> float:
    """The largest absolute value in any of the arrays."""
    return max(float(np.max(np.abs(array))) for array in arrays)

"""The reader: pixels back to a scene, by nearest template in each place. It is the exact verifier of generation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bifrons.scenes.world import (
    BACKGROUNDS,
    COLOURS,
    IMAGE_SIZE,
    PLACE_SIZE,
    PLACES,
    SHAPES,
    SIZES,
    Object,
    Pixels,
    Scene,
    coverage,
)

MAX_RESIDUAL = 45.0  # root mean square distance to the nearest template, grey levels; a place above it is unreadable


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader saw: the scene, its root mean square residual (grey levels), and the places it could not read."""

    scene: Scene
    residual: float
    unreadable: tuple[str, ...]


Content = tuple[str, str, str] | None  # shape, colour, size; None for an empty place


@cache
def templates() -> tuple[list[Content], NDArray[np.float64]]:
    """Every content of a place, and its pictures on every background: [backgrounds, contents, 16 * 16 * 3]."""
    contents: list[Content] = [None, *((s, c, z) for s in SHAPES for c in COLOURS for z in SIZES)]
    pictures = np.empty((len(BACKGROUNDS), len(contents), PLACE_SIZE, PLACE_SIZE, 3))
    for i, ground in enumerate(BACKGROUNDS.values()):
        pictures[i] = ground
        for j, content in enumerate(contents):
            if content is not None:
                shape, colour, size = content
                cover = coverage(shape, size)[..., None]
                pictures[i, j] = pictures[i, j] * (1 - cover) + np.array(COLOURS[colour]) * cover
    return contents, pictures.reshape(len(BACKGROUNDS), len(contents), -1)


def read_many(images: NDArray[np.uint8]) -> list[Reading]:
    """Readings of a batch of pictures, [batch, 32, 32, 3] in 0..255.

    Raises ValueError for pictures of another size.
    """
    if images.ndim != 4 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise ValueError(f"the reader takes pictures of {IMAGE_SIZE} x {IMAGE_SIZE} x 3, not {images.shape[1:]}")
    contents, pictures = templates()
    grounds = list(BACKGROUNDS)
    batch = len(images)
    half = images.astype(np.float64).reshape(batch, 2, PLACE_SIZE, 2, PLACE_SIZE, 3)
    places = half.transpose(0, 1, 3, 2, 4, 5).reshape(batch, len(PLACES), 1, 1, PLACE_SIZE * PLACE_SIZE * 3)
    readings: list[Reading] = []
    for picture in places:
        square = ((picture - pictures) ** 2).mean(axis=-1)  # [places, backgrounds, contents]
        ground = int(square.min(axis=-1).sum(axis=0).argmin())
        best = square[:, ground].argmin(axis=-1)
        residuals = np.sqrt(square[:, ground].min(axis=-1))
        objects: list[Object] = []
        unreadable: list[str] = []
        for place, index, residual in zip(PLACES, best, residuals, strict=True):
            content = contents[int(index)]
            if residual > MAX_RESIDUAL:
                unreadable.append(place)
            elif content is not None:
                shape, colour, size = content
                objects.append(Object(place=place, shape=shape, colour=colour, size=size))
        scene = Scene(background=grounds[ground], objects=tuple(objects))
        readings.append(Reading(scene, float(np.sqrt((residuals**2).mean())), tuple(unreadable)))
    return readings


def read(image: Pixels) -> Reading:
    """The reading of one picture, [32, 32, 3] in 0..255."""
    return read_many(image[None])[0]

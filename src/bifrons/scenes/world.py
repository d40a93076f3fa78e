"""The world: what a scene is, how one is drawn from a seed, and how it becomes pixels.

A scene is a plain background and one to three objects, each in its own quadrant of a 32 x 32 picture. Objects never
overlap and never move off their place, so a picture is a function of its scene, and a reader can invert it exactly.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SHAPES = ("circle", "square", "triangle")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 39, 40),
    "green": (44, 160, 44),
    "blue": (31, 78, 214),
    "yellow": (250, 210, 40),
    "purple": (150, 60, 190),
    "orange": (255, 127, 14),
}
SIZES = ("small", "big")
PLACES = ("top left", "top right", "bottom left", "bottom right")
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
    "black": (20, 20, 20),
}

IMAGE_SIZE = 32
PLACE_SIZE = IMAGE_SIZE // 2
HALF_WIDTH = {"small": 4.0, "big": 7.0}  # pixels from an object's centre to its edge
MAX_OBJECTS = 3
OBJECT_COUNT_SHARES = (0.35, 0.40, 0.25)  # of scenes with one, two and three objects

Split = Literal["train", "pairs", "validation", "evaluation"]
Pixels = NDArray[np.uint8]  # [height, width, 3]


@dataclass(frozen=True, slots=True, order=True)
class Object:
    """One object of a scene, in the world's own words."""

    place: str
    shape: str
    colour: str
    size: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A background and its objects, sorted by place: equal scenes compare and hash equal."""

    background: str
    objects: tuple[Object, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", tuple(sorted(self.objects)))

    @property
    def key(self) -> str:
        """A stable text of the scene's content."""
        return "|".join([self.background, *(f"{o.place},{o.shape},{o.colour},{o.size}" for o in self.objects)])

    @property
    def split(self) -> Split:
        """The split that a scene belongs to is a function of its content, so no two splits share a picture."""
        bucket = hashlib.sha256(self.key.encode()).digest()[0]
        if bucket < 192:
            return "train"
        if bucket < 224:
            return "pairs"
        return "validation" if bucket < 240 else "evaluation"


def draw_scene(rng: np.random.Generator, split: Split | None = None, num_objects: int | None = None) -> Scene:
    """A scene drawn at random; with `split`, drawn again until it belongs there."""
    while True:
        count = num_objects or 1 + int(rng.choice(MAX_OBJECTS, p=OBJECT_COUNT_SHARES))
        places = rng.permutation(len(PLACES))[:count]
        objects = tuple(
            Object(
                place=PLACES[int(place)],
                shape=SHAPES[int(rng.integers(len(SHAPES)))],
                colour=list(COLOURS)[int(rng.integers(len(COLOURS)))],
                size=SIZES[int(rng.integers(len(SIZES)))],
            )
            for place in places
        )
        scene = Scene(background=list(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))], objects=objects)
        if split is None or scene.split == split:
            return scene


@cache
def coverage(shape: str, size: str) -> NDArray[np.float64]:
    """The share of each pixel of a place that an object covers, [16, 16], anti-aliased from 8 x 8 samples a pixel."""
    fine = 8
    axis = (np.arange(PLACE_SIZE * fine) + 0.5) / fine - PLACE_SIZE / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    half = HALF_WIDTH[size]
    if shape == "circle":
        inside = x**2 + y**2 <= half**2
    elif shape == "square":
        inside = np.maximum(abs(x), abs(y)) <= half
    else:
        inside = (abs(y) <= half) & (abs(x) <= (y + half) / 2)
    return inside.reshape(PLACE_SIZE, fine, PLACE_SIZE, fine).mean(axis=(1, 3))


def place_corner(place: str) -> tuple[int, int]:
    """Row and column of the top left pixel of a place."""
    index = PLACES.index(place)
    return (index // 2) * PLACE_SIZE, (index % 2) * PLACE_SIZE


def render(scene: Scene) -> Pixels:
    """The picture of a scene, [32, 32, 3] in 0..255."""
    picture = np.empty((IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.float64)
    picture[:] = BACKGROUNDS[scene.background]
    for thing in scene.objects:
        row, column = place_corner(thing.place)
        cover = coverage(thing.shape, thing.size)[..., None]
        window = picture[row : row + PLACE_SIZE, column : column + PLACE_SIZE]
        window[:] = window * (1 - cover) + np.array(COLOURS[thing.colour]) * cover
    return np.rint(picture).astype(np.uint8)

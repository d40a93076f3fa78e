"""Pictures as MAGVIT-v2 takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bifrons.models.pictures import Picture, to_image


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The shorter side scaled to `side` (bicubic), and the middle square."""
    width, height = image.size
    if (width, height) != (side, side):
        short = min(width, height)
        image = image.resize((side * width // short, side * height // short), Image.Resampling.BICUBIC)
    left, top = round((image.width - side) / 2), round((image.height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def pixels(images: Sequence[Picture], side: int, name: str = "") -> Tensor:
    """[images, 3, side, side] in -1..1."""
    made = [np.asarray(fitted(to_image(image, name), side), dtype=np.float32) for image in images]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2) / 127.5 - 1

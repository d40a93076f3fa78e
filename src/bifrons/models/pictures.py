"""Whatever a user has of an image, to one RGB picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Picture = bytes | str | Path | Image.Image | NDArray[np.uint8]


def to_image(picture: Any) -> Image.Image:
    """An upright RGB image from encoded bytes, a path, a PIL image or pixels [height, width, 3].

    Raises ValueError for what is none of these or cannot be read.
    """
    try:
        if isinstance(picture, bytes):
            opened: Image.Image = Image.open(io.BytesIO(picture))
        elif isinstance(picture, str | Path):
            opened = Image.open(picture)
        elif isinstance(picture, np.ndarray):
            return Image.fromarray(picture)
        elif isinstance(picture, Image.Image):
            opened = picture
        else:
            raise ValueError(f"an image is bytes, a path, a PIL image or an array, not {type(picture).__name__}")
        return ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        name = picture if isinstance(picture, str | Path) else "image"
        raise ValueError(f"{name}: cannot be read as an image ({error})") from None

"""Whatever a user has of an image, to one upright RGB picture; and which files an image folder may give."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Picture = bytes | str | Path | Image.Image | NDArray[np.uint8]
WHITE = (255, 255, 255, 255)
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error, zlib.error)  # PIL's readers'


def to_image(picture: Any, name: str = "") -> Image.Image:
    """An upright RGB image from encoded bytes, a path, a PIL image or pixels [height, width, 3] of 8 bits.

    What is transparent becomes white; 16-bit grey keeps its range; CMYK, grey and palette become RGB; a camera's note
    to turn the picture (EXIF) is followed. Raises ValueError that begins with `name` (or the path) for what is none of
    these, cannot be read to its end, or has more pixels than Pillow's own limit against decompression bombs.
    """
    if not name:
        name = str(picture) if isinstance(picture, str | Path) else "image"
    if isinstance(picture, np.ndarray):
        pixels = cast(NDArray[Any], picture)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"{name}: pixels are [height, width, 3] of uint8, not {pixels.shape} of {pixels.dtype}")
        return Image.fromarray(pixels)
    if not isinstance(picture, bytes | str | Path | Image.Image):
        raise ValueError(f"{name}: an image is bytes, a path, a PIL image or an array, not {type(picture).__name__}")
    if picture == b"":
        raise ValueError(f"{name}: cannot be read as an image (it is empty)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what readers say of odd EXIF blocks
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if isinstance(picture, Image.Image):
                return upright_colour(picture)
            with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
                return upright_colour(opened)
    except BOMB:
        raise ValueError(f"{name}: has more than {Image.MAX_IMAGE_PIXELS:,} pixels, which is refused") from None
    except UnidentifiedImageError:
        raise ValueError(f"{name}: cannot be read as an image (its format is not known)") from None
    except BROKEN as error:
        raise ValueError(f"{name}: cannot be read as an image ({error})") from None


def upright_colour(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is not known")
    if upright.mode.startswith("I"):
        upright = eight_bits(upright)
    if upright.has_transparency_data:
        above = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, WHITE), above).convert("RGB")
    return upright.convert("RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits by its full range; Pillow's own conversion would clip all but the darkest to white."""
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= values.min() <= values.max() < 2**16:
        raise ValueError("grey values are outside 16 bits")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def picture_path(folder: Path, file_name: str, record: str) -> Path:
    """The file of that name inside the folder. Raises ValueError that begins with `record` for a name that leads out of
    it, by dots, an absolute path or a link, and for a file that is not there.
    """
    root = folder.resolve()
    try:
        path = (root / file_name).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte in it, a loop of links
        raise ValueError(f"{record}: {file_name!r} is no file name ({error})") from None
    if not file_name or root not in path.parents:
        raise ValueError(f"{record}: the image {file_name!r} lies outside the image folder {folder}")
    try:
        there = path.is_file()
    except OSError as error:
        raise ValueError(f"{record}: {file_name[:80]!r} is no file name ({error.strerror})") from None
    if not there:
        raise ValueError(f"{record}: there is no image {file_name!r} in {folder}")
    return path


def read_picture(folder: Path, file_name: str, record: str) -> bytes:
    """The bytes of an image file inside the folder, decoded once to see that they are an image.

    Raises ValueError that names record and file.
    """
    data = picture_path(folder, file_name, record).read_bytes()
    to_image(data, name=f"{record}: {file_name}")
    return data


def centre_square(image: Image.Image) -> Image.Image:
    """The largest square in the middle; a square picture as it is."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))

"""Pictures of every kind that a folder of photographs holds, and the files that it may not give."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bifrons.records.pictures import centre_square, read_picture, to_image

GREY = (np.arange(16).reshape(4, 4) * 4096 + 4095).astype(np.uint16)  # 16 bits, from 4095 to 65535


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it has this many pixels and holds none of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def test_cmyk_photographs_keep_their_colour() -> None:
    image = to_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = image.getpixel((4, 4))  # type: ignore[misc]
    assert image.mode == "RGB" and red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_range(kind: str) -> None:
    """Each value within half a step of its 8-bit one; the brightest is white, the darkest is not black."""
    pixels = np.asarray(to_image(encoded(Image.fromarray(GREY), kind)))[..., 0]
    assert np.abs(pixels - GREY / 257).max() <= 0.5
    assert pixels.max() == 255 and pixels.min() == 16


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (0, 0, 0, 255))
    made = np.asarray(to_image(encoded(image.convert(mode), "PNG") if mode != "PA" else image.convert(mode)))
    assert made[0, 0].tolist() == [255] * 3 and made[1, 1].tolist() == [0] * 3


def test_half_transparent_is_mixed_with_white() -> None:
    made = np.asarray(to_image(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 128)))))
    assert made[0, 0].tolist() == [255, 127, 127]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_stands_upright(orientation: int) -> None:
    """A picture with one bright corner, turned by the camera's note: it ends where Pillow's own transposition puts it,
    and never twice.
    """
    image = Image.new("L", (24, 16))
    image.paste(255, (0, 0, 8, 8))
    exif = image.getexif()
    exif[0x0112] = orientation
    made = to_image(encoded(image, "JPEG", exif=exif, quality=95))
    assert made.size == ((24, 16) if orientation < 5 else (16, 24))
    corners = {(0, 0): {1, 5}, (0, 1): {2, 6}, (1, 1): {3, 7}, (1, 0): {4, 8}}  # (bottom, right): orientations
    for (bottom, right), orientations in corners.items():
        pixel = made.getpixel((right * (made.width - 1), bottom * (made.height - 1)))
        assert (pixel[0] > 128) == (orientation in orientations)  # type: ignore[index]
    assert made.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (encoded(Image.new("RGB", (64, 64)), "JPEG")[:-200], "[Tt]runcated"),
        (encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)))[:900], "image"),
        (bomb(12_000, 12_000), "more than 89,478,485 pixels"),
        (bomb(60_000, 60_000), "more than 89,478,485 pixels"),
        (encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "floating-point"),
        (b"GIF89a", "format is not known"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^record 7: .*{message}") as refused:
        to_image(data, name="record 7")
    assert "\n" not in str(refused.value)


def test_pixels_of_another_kind_are_refused() -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="uint8, not"):
            to_image(wrong)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "images"
    (made / "deep").mkdir(parents=True)
    data = encoded(Image.new("RGB", (4, 4), "red"))
    for path in (made / "a.png", made / "deep" / "b.png", tmp_path / "secret.png"):
        path.write_bytes(data)
    (made / "inner.png").symlink_to(made / "a.png")
    (made / "outer.png").symlink_to(tmp_path / "secret.png")
    (made / "loop.png").symlink_to(made / "loop.png")
    return made


@pytest.mark.parametrize("name", ["a.png", "deep/b.png", "deep/../a.png", "inner.png"])
def test_a_file_inside_the_folder_is_read(folder: Path, name: str) -> None:
    assert to_image(read_picture(folder, name, "image 1")).size == (4, 4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.png", "outside the image folder"),
        ("deep/../../secret.png", "outside the image folder"),
        ("/etc/hostname", "outside the image folder"),
        ("outer.png", "outside the image folder"),
        ("", "outside the image folder"),
        (".", "outside the image folder"),
        ("loop.png", "image 1: "),
        ("deep", "there is no image"),
        ("missing.png", "there is no image"),
        ("a\0.png", "is no file name"),
        ("a" * 5000 + ".png", "image 1: "),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(folder: Path, name: str, message: str) -> None:
    """Dots, absolute paths and links may not leave the folder; the record is named."""
    with pytest.raises(ValueError, match=message) as refused:
        read_picture(folder, name, "image 1")
    assert str(refused.value).startswith("image 1: ")


def test_the_middle_square() -> None:
    wide = Image.new("L", (9, 5))
    wide.putpixel((2, 0), 1)
    assert centre_square(wide).size == (5, 5) and centre_square(wide).getpixel((0, 0)) == 1
    square = Image.new("RGB", (6, 6), "red")
    assert np.array_equal(np.asarray(centre_square(square)), np.asarray(square))

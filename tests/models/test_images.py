"""Images to codes and back, and what is taken for an image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_janus import NUM_CODES, NUM_IMAGE_TOKENS, generation_pairs, picture

from bifrons.models.janus.model import JanusModel
from bifrons.models.pictures import to_image
from bifrons.protocol import Sampling

PICTURES = [picture(seed) for seed in range(3)]
CODES = [pair.chosen_codes for pair in generation_pairs(3)]


def latents(model: JanusModel, image: bytes) -> np.ndarray:
    """[image tokens, width] in raster order, before the codebook."""
    pixels = model.processor.image_processor(Image.open(io.BytesIO(image)), return_tensors="pt")["pixel_values"]
    vq = model.network.model.vqmodel
    with torch.no_grad():
        latent = vq.quant_conv(vq.encoder(pixels))[0]
    return latent.permute(1, 2, 0).reshape(-1, latent.shape[0]).double().numpy()


def test_encoding_is_the_nearest_codebook_direction(model: JanusModel) -> None:
    """By brute force: every unit latent against every unit code, the smallest distance."""
    codebook = model.network.model.vqmodel.quantize.embedding.weight.detach().double().numpy()
    codebook = codebook / np.linalg.norm(codebook, axis=1, keepdims=True)
    for image, row in zip(PICTURES, model.encode(PICTURES), strict=True):
        units = [latent / np.linalg.norm(latent) for latent in latents(model, image)]
        assert list(row) == [int(np.argmin([np.linalg.norm(unit - code) for code in codebook])) for unit in units]
        assert len(set(row)) > 1


def test_encoding_agrees_with_transformers_on_unit_vectors(model: JanusModel) -> None:
    """Where the codebook holds unit vectors, transformers' own `encode` gives the same codes."""
    weight = model.network.model.vqmodel.quantize.embedding.weight
    weight.copy_(torch.nn.functional.normalize(weight, dim=-1))
    for image, row in zip(PICTURES, model.encode(PICTURES), strict=True):
        pixels = model.processor.image_processor(Image.open(io.BytesIO(image)), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            assert list(row) == model.network.model.vqmodel.encode(pixels).image_tokens.tolist()


def test_decoding_gives_the_pixels_of_transformers(model: JanusModel) -> None:
    """8-bit pixels of the VQ decoder, and the same in whatever batches."""
    made = model.decode(CODES)
    with torch.no_grad():
        values = model.network.decode_image_tokens(torch.tensor(CODES)).numpy()
    assert np.array_equal(np.stack(made), np.round((np.clip(values, -1, 1) + 1) * 127.5).astype(np.uint8))
    for one, two in zip(made, model.decode(CODES, batch_size=2), strict=True):
        assert one.shape == (32, 32, 3) and one.dtype == np.uint8
        assert np.abs(one.astype(int) - two.astype(int)).max() <= 1


def test_a_drawings_pixels_are_its_codes_decoded(model: JanusModel) -> None:
    (drawing,) = model.draw(["a red circle"], Sampling(seed=1))
    assert np.array_equal(drawing.pixels, model.decode([drawing.codes])[0])
    assert np.array_equal(np.asarray(drawing.image), drawing.pixels)


def test_codes_of_pixels_are_a_drawing(model: JanusModel) -> None:
    """What `decode` gives, `encode` takes; nothing is asked of an untrained codebook but shape and range."""
    for row in model.encode(model.decode(CODES)):
        assert len(row) == NUM_IMAGE_TOKENS and 0 <= min(row) <= max(row) < NUM_CODES


def test_batches_of_images_change_no_code(model: JanusModel) -> None:
    assert model.encode(PICTURES, batch_size=2) == model.encode(PICTURES)


@pytest.mark.parametrize("length", [0, NUM_IMAGE_TOKENS - 1, NUM_IMAGE_TOKENS + 1])
def test_decoding_refuses_other_lengths(model: JanusModel, length: int) -> None:
    with pytest.raises(ValueError, match=str(NUM_IMAGE_TOKENS)):
        model.decode([(1,) * length])


def test_decoding_refuses_rows_of_different_lengths(model: JanusModel) -> None:
    with pytest.raises(ValueError, match=str(NUM_IMAGE_TOKENS)):
        model.decode([CODES[0], CODES[1][:-1]])


@pytest.mark.parametrize("code", [-1, NUM_CODES])
def test_decoding_refuses_a_code_outside_the_codebook(model: JanusModel, code: int) -> None:
    with pytest.raises(ValueError, match=f"codes below {NUM_CODES}"):
        model.decode([(code, *CODES[0][1:])])


def test_one_picture_in_every_form(tmp_path: Path) -> None:
    """Bytes, a path, a string, a PIL image and pixels are the same picture."""
    data = picture(1)
    path = tmp_path / "one.png"
    path.write_bytes(data)
    opened = Image.open(io.BytesIO(data))
    forms: list[Any] = [data, path, str(path), opened, np.asarray(opened)]
    pixels = [np.asarray(to_image(form)) for form in forms]
    assert all(np.array_equal(one, pixels[0]) for one in pixels)
    assert pixels[0].shape == (32, 32, 3)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_every_mode_becomes_colour(mode: str) -> None:
    assert to_image(Image.new(mode, (5, 4))).mode == "RGB"


def test_pictures_stand_upright() -> None:
    """A camera's note to turn the picture (EXIF orientation 6) is followed."""
    lying = Image.new("RGB", (6, 4))
    exif = lying.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    lying.save(buffer, format="JPEG", exif=exif)
    assert to_image(buffer.getvalue()).size == (4, 6)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    with pytest.raises(ValueError, match="missing.png: cannot be read as an image"):
        to_image(missing)
    with pytest.raises(ValueError, match="image: cannot be read as an image"):
        to_image(b"no image")
    with pytest.raises(ValueError, match="not int"):
        to_image(3)

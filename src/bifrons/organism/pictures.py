"""Pictures as networks take them, and what an image tokenizer of the world is taught and measured by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import unfold

from bifrons.organism.fit import Loss, generator
from bifrons.scenes import IMAGE_SIZE, Scene, draw_scene, read_many, render

PATCH_SIZE = 4  # pixels a side of a code
NUM_IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE) ** 2
NUM_MEASURED = 400
Change = Callable[[Tensor], Tensor]
Noised = Callable[[Tensor, Tensor], Tensor]  # of latents and of noise of standard deviation 1


def training_pictures(rng: np.random.Generator, count: int) -> Tensor:
    return pixels([draw_scene(rng, "train") for _ in range(count)])


def pixels(scenes: list[Scene]) -> Tensor:
    """Pictures as a network takes them: [batch, 3, 32, 32] in -1..1."""
    return torch.from_numpy(np.stack([render(scene) for scene in scenes])).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(values: Tensor) -> np.ndarray:
    """[batch, 3, height, width] in -1..1 to [batch, height, width, 3] in 0..255."""
    return ((values.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def distance(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean() + (made - wanted).square().mean()


def patch_kinds(images: Tensor) -> Tensor:
    """A number for each patch of a batch, equal for patches of equal pixels, [batch * rows * columns] in raster
    order.
    """
    patches = unfold(images, PATCH_SIZE, stride=PATCH_SIZE).transpose(1, 2).flatten(0, 1)
    _, kinds = np.unique(to_levels(patches), axis=0, return_inverse=True)
    return torch.from_numpy(kinds.reshape(-1))


def to_levels(patches: Tensor) -> np.ndarray:
    return ((patches + 1) * 127.5).round().byte().numpy()


def inconsistency(values: Tensor, kinds: Tensor) -> Tensor:
    """Mean squared distance of each latent to the mean of the latents of equal patches in the batch.

    GroupNorm and attention let the whole picture leak into every latent; the body would have to predict that leak from
    what it has not drawn yet. Without this term a code's conditional entropy given its patch was 2.4 nats.
    """
    flat = values.permute(0, 2, 3, 1).flatten(0, 2)
    sums = torch.zeros(int(kinds.max()) + 1, flat.shape[1]).index_add(0, kinds, flat)
    means = sums / torch.bincount(kinds)[:, None]
    return (flat - means[kinds]).square().sum(dim=1).mean()


def autoencoding(batch: int, latents: Change, noised: Noised, decoded: Change, leak_weight: float) -> Loss:
    """Pictures rebuilt from noised latents [batch, channels, rows, columns], and the latents' inconsistency."""

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = training_pictures(rng, batch)
        values = latents(images)
        noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**62))))
        error = distance(decoded(noised(values, noise)), images)
        leak = inconsistency(values, patch_kinds(images))
        return error + leak_weight * leak, {"picture": error.item(), "leak": leak.item()}

    return loss_at


def sharpening(batch: int, quantised: Change, decoded: Change) -> Loss:
    """The decoder alone on the codes as they are: the codes of a picture, and so the body, are not touched."""

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = training_pictures(rng, batch)
        with torch.no_grad():
            codes = quantised(images)
        loss = distance(decoded(codes), images)
        return loss, {"picture": loss.item()}

    return loss_at


@torch.no_grad()
def rebuilt_exactly(rebuild: Callable[[Tensor], tuple[Tensor, Tensor]], seed: int) -> dict[str, float]:
    """What `rebuild`, from pictures to codes [batch, ...] and made pictures, leaves of held-out scenes: the share read
    exactly, the codes in use, the share of patches that have the commonest code of their kind, the mean residual.
    """
    rng = generator(seed, "tokens-measure", 0)
    scenes = [draw_scene(rng, "validation") for _ in range(NUM_MEASURED)]
    images = pixels(scenes)
    codes, made = rebuild(images)
    readings = read_many(to_bytes(made))
    exact = sum(
        reading.scene == scene and not reading.unreadable for reading, scene in zip(readings, scenes, strict=True)
    )
    pairs, counts = torch.stack((patch_kinds(images), codes.flatten()), dim=1).unique(dim=0, return_counts=True)
    commonest = torch.zeros(int(pairs[:, 0].max()) + 1, dtype=counts.dtype)
    commonest.scatter_reduce_(0, pairs[:, 0], counts, "amax")
    return {
        "exact": exact / len(scenes),
        "codes_used": len(codes.unique()),
        "one_code_a_kind": float(commonest.sum() / counts.sum()),
        "residual": float(np.mean([reading.residual for reading in readings])),
    }

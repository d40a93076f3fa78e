"""How the organism's VQ tokenizer is trained: a noisy autoencoder, a k-means codebook, then both together.

Straight-through training from scratch collapses the codebook (2 codes of 512 in a trial). The noise of the warm-up
spreads the latents apart; a consistency term then gives the same patch the same latent whatever stands elsewhere in the
picture (from the first step on it would collapse them); and the codebook starts from latents in which every kind of
patch counts alike, however rare it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn.functional import normalize, unfold
from transformers.models.janus.modeling_janus import JanusVQVAE

from bifrons.organism.architecture import PATCH_SIZE
from bifrons.organism.fit import Loss, Stage, fit, generator
from bifrons.scenes import Scene, draw_scene, read_many, render

MERGE_DISTANCE = 0.1  # between unit vectors
LATENT_NOISE = 0.12  # standard deviation an axis; latents lie on the unit sphere


def pixels(scenes: list[Scene]) -> Tensor:
    """Pictures as a network takes them: [batch, 3, 32, 32] in -1..1."""
    return torch.from_numpy(np.stack([render(scene) for scene in scenes])).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(values: Tensor) -> np.ndarray:
    """[batch, 3, height, width] in -1..1 to [batch, height, width, 3] in 0..255."""
    return ((values.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def latents(vq: JanusVQVAE, images: Tensor) -> Tensor:
    """Unit latents, [batch, 8, rows, columns]."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = vq.quant_conv(vq.encoder(images))
    return normalize(hidden.float(), dim=1)


def decoded(vq: JanusVQVAE, values: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return cast(Tensor, vq.decoder(vq.post_quant_conv(values))).float()


def nearest(vq: JanusVQVAE, values: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest codes by cosine: indices [batch, rows, columns] and their unit vectors [batch, 8, rows, columns]."""
    codebook = normalize(vq.quantize.embedding.weight, dim=-1)
    indices = torch.einsum("bchw,kc->bhwk", values, codebook).argmax(dim=-1)
    return indices, codebook[indices].permute(0, 3, 1, 2)


def patch_kinds(images: Tensor) -> Tensor:
    """A number for each patch of a batch, equal for patches of equal pixels, [batch * rows * columns] in raster
    order.
    """
    patches = unfold(images, PATCH_SIZE, stride=PATCH_SIZE).transpose(1, 2).flatten(0, 1)
    _, kinds = np.unique(to_levels(patches), axis=0, return_inverse=True)
    return torch.from_numpy(kinds.reshape(-1))


def inconsistency(values: Tensor, kinds: Tensor) -> Tensor:
    """Mean squared distance of each latent to the mean of the latents of equal patches in the batch.

    GroupNorm and attention let the whole picture leak into every latent; the body would have to predict that leak from
    what it has not drawn yet. Without this term a code's conditional entropy given its patch was 2.4 nats.
    """
    flat = values.permute(0, 2, 3, 1).flatten(0, 2)
    sums = torch.zeros(int(kinds.max()) + 1, flat.shape[1]).index_add(0, kinds, flat)
    means = sums / torch.bincount(kinds)[:, None]
    return (flat - means[kinds]).square().sum(dim=1).mean()


def to_levels(patches: Tensor) -> np.ndarray:
    return ((patches + 1) * 127.5).round().byte().numpy()


def distance(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean() + (made - wanted).square().mean()


def train_tokens(vq: JanusVQVAE, warmup: Stage, consistency: Stage, joint: Stage, *, seed: int, out: Path) -> None:
    """Train the VQ model in place, in the three stages; the codebook's rows end as unit vectors."""
    vq.requires_grad_(True).train()

    def scenes(rng: np.random.Generator, count: int) -> list[Scene]:
        return [draw_scene(rng, "train") for _ in range(count)]

    def autoencode(stage: Stage, leak_weight: float) -> Loss:
        def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
            images = pixels(scenes(rng, stage.batch))
            values = latents(vq, images)
            noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**62))))
            error = distance(decoded(vq, normalize(values + LATENT_NOISE * noise, dim=1)), images)
            leak = inconsistency(values, patch_kinds(images))
            return error + leak_weight * leak, {"picture": error.item(), "leak": leak.item()}

        return loss_at

    used = torch.zeros(vq.config.num_embeddings)

    def quantise(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = pixels(scenes(rng, joint.batch))
        values = latents(vq, images)
        if step % 100 == 99 and step < joint.steps * 0.6:
            revive(vq, values.detach(), used, rng)
        indices, codes = nearest(vq, values)
        used.mul_(0.99).add_(torch.bincount(indices.flatten(), minlength=len(used)))
        error = distance(decoded(vq, values + (codes - values).detach()), images)
        match = (codes - values.detach()).square().sum(1).mean() + 0.25 * (codes.detach() - values).square().sum(
            1
        ).mean()
        leak = inconsistency(values, patch_kinds(images))
        return error + match + leak, {"picture": error.item(), "leak": leak.item(), "codes": float((used > 0.05).sum())}

    fit(vq, warmup, autoencode(warmup, 0.0), seed=seed, out=out)
    fit(vq, consistency, autoencode(consistency, 1.0), seed=seed, out=out)
    if not (out / f"{joint.name}.safetensors").exists():
        start_codebook(vq, scenes(generator(seed, "codebook", 0), 4000), seed)
    fit(vq, joint, quantise, seed=seed, out=out, measure=lambda: rebuilt_exactly(vq, seed))
    vq.eval()


def start_codebook(vq: JanusVQVAE, scenes: list[Scene], seed: int) -> None:
    """k-means over the latents of distinct patches, each kind of patch at most eight times."""
    rows: list[Tensor] = []
    kinds: dict[bytes, int] = {}
    with torch.no_grad():
        for start in range(0, len(scenes), 100):
            pictures = np.stack([render(scene) for scene in scenes[start : start + 100]])
            values = latents(vq, pixels(scenes[start : start + 100])).permute(0, 2, 3, 1)
            for picture, grid in zip(pictures, values, strict=True):
                for row, column in np.ndindex(*grid.shape[:2]):
                    top, left = row * PATCH_SIZE, column * PATCH_SIZE
                    kind = picture[top : top + PATCH_SIZE, left : left + PATCH_SIZE].tobytes()
                    kinds[kind] = kinds.get(kind, 0) + 1
                    if kinds[kind] <= 8:
                        rows.append(grid[row, column])
        kmeans: Any = kmeans2  # SciPy's stubs do not know the seed yet
        found, _ = kmeans(torch.stack(rows).numpy(), vq.config.num_embeddings, iter=30, minit="++", seed=seed)
        vq.quantize.embedding.weight.copy_(normalize(torch.from_numpy(found), dim=-1))


def merged_codebook(vq: JanusVQVAE, seed: int) -> Tensor:
    """The codes that pictures use, codes nearer than `MERGE_DISTANCE` joined into one: unit vectors, [codes, 8].

    Training leaves many near copies of the commonest patch's code, and which of them a patch gets is noise to the body.
    """
    codebook = normalize(vq.quantize.embedding.weight.detach(), dim=-1)
    groups = fcluster(linkage(codebook.numpy(), "complete"), MERGE_DISTANCE, "distance")
    merged = torch.stack(
        [normalize(codebook[torch.from_numpy(groups == g)].mean(dim=0), dim=0) for g in np.unique(groups)]
    )
    used = torch.zeros(len(merged), dtype=torch.bool)
    rng = generator(seed, "merge", 0)
    with torch.no_grad():
        for _ in range(40):
            values = latents(vq, pixels([draw_scene(rng, "train") for _ in range(100)]))
            used[torch.einsum("bchw,kc->bhwk", values, merged).argmax(dim=-1).flatten()] = True
    return merged[used]


def train_decoder(vq: JanusVQVAE, stage: Stage, *, seed: int, out: Path) -> None:
    """Sharpen the decoder alone, with encoder and codes as they are: the codes of a picture, and so the body, are not
    touched.
    """
    vq.requires_grad_(False)
    vq.post_quant_conv.requires_grad_(True)
    vq.decoder.requires_grad_(True)

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = pixels([draw_scene(rng, "train") for _ in range(stage.batch)])
        with torch.no_grad():
            codes = nearest(vq, latents(vq, images))[1]
        loss = distance(decoded(vq, codes), images)
        return loss, {"picture": loss.item()}

    fit(vq, stage, loss_at, seed=seed, out=out, measure=lambda: rebuilt_exactly(vq, seed))
    vq.requires_grad_(False)


@torch.no_grad()
def rebuilt_exactly(vq: JanusVQVAE, seed: int) -> dict[str, float]:
    """Share of held-out pictures that are read exactly from their reconstruction, codes in use, and the mean
    residual.
    """
    rng = generator(seed, "tokens-measure", 0)
    chosen = [draw_scene(rng, "validation") for _ in range(400)]
    indices, codes = nearest(vq, latents(vq, pixels(chosen)))
    readings = read_many(to_bytes(decoded(vq, codes)))
    exact = sum(
        reading.scene == scene and not reading.unreadable for reading, scene in zip(readings, chosen, strict=True)
    )
    residual = float(np.mean([reading.residual for reading in readings]))
    return {"exact": exact / len(chosen), "codes_used": len(indices.unique()), "residual": residual}


def revive(vq: JanusVQVAE, values: Tensor, used: Tensor, rng: np.random.Generator) -> None:
    """Move codes that no picture uses any more onto latents of this batch."""
    dead = (used < 0.05).nonzero().flatten()
    pool = values.permute(0, 2, 3, 1).reshape(-1, values.shape[1])
    with torch.no_grad():
        picks = torch.from_numpy(rng.permutation(len(pool))[: len(dead)])
        vq.quantize.embedding.weight[dead[: len(picks)]] = pool[picks]
        used[dead[: len(picks)]] = 1.0

"""How the organism's VQ tokenizer is trained: a noisy autoencoder, a k-means codebook, then both together.

Straight-through training from scratch collapses the codebook (2 codes of 512 in a trial). The noise of the warm-up
spreads the latents apart; a consistency term then gives the same patch the same latent whatever stands elsewhere in the
picture (from the first step on it would collapse them); and the codebook starts from latents in which every kind of
patch counts alike, however rare it is.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn.functional import normalize
from transformers.models.janus.modeling_janus import JanusVQVAE

from bifrons.organism.fit import Loss, Stage, fit, generator
from bifrons.organism.pictures import (
    PATCH_SIZE,
    autoencoding,
    distance,
    inconsistency,
    patch_kinds,
    pixels,
    rebuilt_exactly,
    sharpening,
    training_pictures,
)
from bifrons.scenes import draw_scene, render

MERGE_DISTANCE = 0.1  # between unit vectors
LATENT_NOISE = 0.12  # standard deviation an axis; latents lie on the unit sphere


def latents(vq: JanusVQVAE, images: Tensor) -> Tensor:
    """Unit latents, [batch, 8, rows, columns]."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = vq.quant_conv(vq.encoder(images))
    return normalize(hidden.float(), dim=1)


def noised(values: Tensor, noise: Tensor) -> Tensor:
    return normalize(values + LATENT_NOISE * noise, dim=1)


def decoded(vq: JanusVQVAE, values: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return cast(Tensor, vq.decoder(vq.post_quant_conv(values))).float()


def nearest(vq: JanusVQVAE, values: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest codes by cosine: indices [batch, rows, columns] and their unit vectors [batch, 8, rows, columns]."""
    codebook = normalize(vq.quantize.embedding.weight, dim=-1)
    indices = torch.einsum("bchw,kc->bhwk", values, codebook).argmax(dim=-1)
    return indices, codebook[indices].permute(0, 3, 1, 2)


def train_tokens(vq: JanusVQVAE, warmup: Stage, consistency: Stage, joint: Stage, *, seed: int, out: Path) -> None:
    """Train the VQ model in place, in the three stages; the codebook's rows end as unit vectors."""
    vq.requires_grad_(True).train()

    def autoencode(stage: Stage, leak_weight: float) -> Loss:
        return autoencoding(stage.batch, partial(latents, vq), noised, partial(decoded, vq), leak_weight)

    used = torch.zeros(vq.config.num_embeddings)

    def quantise(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = training_pictures(rng, joint.batch)
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
        start_codebook(vq, seed)
    fit(vq, joint, quantise, seed=seed, out=out, measure=lambda: rebuilt_exactly(partial(rebuild, vq), seed))
    vq.eval()


def start_codebook(vq: JanusVQVAE, seed: int) -> None:
    """k-means over the latents of distinct patches, each kind of patch at most eight times."""
    rng = generator(seed, "codebook", 0)
    scenes = [draw_scene(rng, "train") for _ in range(4000)]
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
            values = latents(vq, training_pictures(rng, 100))
            used[torch.einsum("bchw,kc->bhwk", values, merged).argmax(dim=-1).flatten()] = True
    return merged[used]


def train_decoder(vq: JanusVQVAE, stage: Stage, *, seed: int, out: Path) -> None:
    """Sharpen the decoder alone, in place."""
    vq.requires_grad_(False)
    vq.post_quant_conv.requires_grad_(True)
    vq.decoder.requires_grad_(True)

    loss_at = sharpening(stage.batch, lambda images: nearest(vq, latents(vq, images))[1], partial(decoded, vq))
    fit(vq, stage, loss_at, seed=seed, out=out, measure=lambda: rebuilt_exactly(partial(rebuild, vq), seed))
    vq.requires_grad_(False)


def rebuild(vq: JanusVQVAE, images: Tensor) -> tuple[Tensor, Tensor]:
    indices, codes = nearest(vq, latents(vq, images))
    return indices, decoded(vq, codes)


def revive(vq: JanusVQVAE, values: Tensor, used: Tensor, rng: np.random.Generator) -> None:
    """Move codes that no picture uses any more onto latents of this batch."""
    dead = (used < 0.05).nonzero().flatten()
    pool = values.permute(0, 2, 3, 1).reshape(-1, values.shape[1])
    with torch.no_grad():
        picks = torch.from_numpy(rng.permutation(len(pool))[: len(dead)])
        vq.quantize.embedding.weight[dead[: len(picks)]] = pool[picks]
        used[dead[: len(picks)]] = 1.0

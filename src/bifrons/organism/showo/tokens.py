"""How the Show-o organism's lookup-free tokenizer is trained: a bit a channel, and no codebook that could collapse.

First a noisy autoencoder: a bounded channel with noise on it carries most as two levels, so the latents drift apart
into bits (Salakhutdinov & Hinton 2009, semantic hashing). Then equal patches are to have equal latents; then the signs
alone pass, with MAGVIT-v2's two terms (Yu et al. 2024): latents are drawn to their signs, and each kind of patch is to
be sure of its code while all kinds together use all codes. Last the decoder alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.models.showo.magvit import ImageTokenizer
from bifrons.organism.fit import Loss, Stage, fit
from bifrons.organism.pictures import (
    autoencoding,
    distance,
    inconsistency,
    patch_kinds,
    rebuilt_exactly,
    sharpening,
    training_pictures,
)
from bifrons.organism.recipe import ShowoRecipe

LATENT_NOISE = 0.4  # standard deviation a channel of the noise on latents between -1 and 1
COMMITMENT = 0.25
ENTROPY = 0.02
# K kinds of patches, B bits, N codes


def raw_latents(tokenizer: ImageTokenizer, images: Tensor) -> Tensor:
    """[batch, bits, rows, columns]; a bit is the sign."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return tokenizer.encoder(images).float()


def latents(tokenizer: ImageTokenizer, images: Tensor) -> Tensor:
    """Between -1 and 1, scaled by the number of bits so that a picture's inconsistency does not grow with it."""
    return raw_latents(tokenizer, images).tanh() / tokenizer.config.bits**0.5


def decoded(tokenizer: ImageTokenizer, values: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return tokenizer.decoder(values * tokenizer.config.bits**0.5).float()


def noised(tokenizer: ImageTokenizer, values: Tensor, noise: Tensor) -> Tensor:
    return values + LATENT_NOISE / tokenizer.config.bits**0.5 * noise


def signs(values: Tensor) -> Tensor:
    """-1 and 1, of the scale that `decoded` takes; gradients pass straight through."""
    hard = torch.where(values > 0, 1.0, -1.0) / values.shape[1] ** 0.5
    return values + (hard - values).detach()


def entropies(tokenizer: ImageTokenizer, raw_KB: Tensor) -> tuple[Tensor, Tensor]:
    """In nats: of a kind's code, mean over the kinds; and of the codes of all kinds together.

    A bit is 1 with probability sigmoid(2 z), which is (1 + tanh z) / 2, independently of the others.
    """
    on_NB = (tokenizer.latents(torch.arange(tokenizer.config.num_codes)) > 0).float()
    log_p_KN = logsigmoid(2 * raw_KB) @ on_NB.T + logsigmoid(-2 * raw_KB) @ (1 - on_NB).T
    p_KN = log_p_KN.exp()
    together_N = p_KN.mean(dim=0)
    return -(p_KN * log_p_KN).sum(dim=1).mean(), -torch.xlogy(together_N, together_N).sum()


def of_kinds(values: Tensor, kinds: Tensor) -> Tensor:
    """The mean latent of each kind of patch, [K, bits]: every kind counts alike, however rare."""
    flat = values.permute(0, 2, 3, 1).flatten(0, 2)
    return torch.zeros(int(kinds.max()) + 1, flat.shape[1]).index_add(0, kinds, flat) / torch.bincount(kinds)[:, None]


def train_tokens(tokenizer: ImageTokenizer, recipe: ShowoRecipe, out: Path) -> None:
    """Train the tokenizer in place, in the recipe's four stages."""
    tokenizer.requires_grad_(True).train()
    seed, scale = recipe.seed, tokenizer.config.bits**0.5
    encode, decode, noise = (partial(part, tokenizer) for part in (latents, decoded, noised))

    def autoencode(stage: Stage, leak_weight: float) -> Loss:
        return autoencoding(stage.batch, encode, noise, decode, leak_weight)

    def quantise(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images = training_pictures(rng, recipe.tokens.batch)
        kinds = patch_kinds(images)
        raw = raw_latents(tokenizer, images)
        values = raw.tanh() / scale
        passed = signs(values)
        error = distance(decode(passed), images)
        match = (passed.detach() - values).square().sum(dim=1).mean()
        leak = inconsistency(values, kinds)
        each, together = entropies(tokenizer, of_kinds(raw, kinds))
        loss = error + COMMITMENT * match + leak + ENTROPY * (each - together)
        figures = {"picture": error, "match": match, "leak": leak, "code_entropy": each, "codes_entropy": together}
        return loss, {name: figure.item() for name, figure in figures.items()}

    def measure() -> dict[str, float]:
        return rebuilt_exactly(lambda images: rebuilt(tokenizer, images), seed)

    fit(tokenizer, recipe.autoencoder, autoencode(recipe.autoencoder, 0.0), seed=seed, out=out)
    fit(tokenizer, recipe.consistency, autoencode(recipe.consistency, 1.0), seed=seed, out=out)
    fit(tokenizer, recipe.tokens, quantise, seed=seed, out=out, measure=measure)
    tokenizer.encoder.requires_grad_(False)
    sharpen = sharpening(recipe.decoder.batch, lambda images: signs(encode(images)), decode)
    fit(tokenizer, recipe.decoder, sharpen, seed=seed, out=out, measure=measure)
    tokenizer.requires_grad_(False).eval()


def rebuilt(tokenizer: ImageTokenizer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and pictures, in fp32 as the finished model makes them."""
    codes = tokenizer.encode(images)
    return codes, tokenizer.decode(codes)

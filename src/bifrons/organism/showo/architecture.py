"""The Show-o organism's shape: a tiny Phi, a tiny MAGVIT-v2, and the world's words as Show-o asks."""

from __future__ import annotations

import torch
from tokenizers import Regex, normalizers
from transformers import PhiConfig, PreTrainedTokenizerFast

from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.layout import Layout
from bifrons.models.showo.load import from_network
from bifrons.models.showo.magvit import TokenizerConfig
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import ShowoNetwork, body_config
from bifrons.organism.pictures import NUM_IMAGE_TOKENS
from bifrons.organism.recipe import ShowoRecipe
from bifrons.organism.words import build_tokenizer, world_words

ROTARY_BASE = 100.0  # turns of 6 to 350 tokens: rows of some hundred tokens are told apart by more than two of them
HEAD_SIZE = 32


def build_words() -> PreTrainedTokenizerFast:
    """The world's words and those that Show-o asks in; the line break that it puts before a question is a space."""
    words = build_tokenizer([*world_words(), "user", "assistant"])
    words.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    return words


def build_layout(recipe: ShowoRecipe, num_words: int) -> Layout:
    return Layout(
        num_words=num_words,
        num_codes=2**recipe.bits,
        num_image_tokens=NUM_IMAGE_TOKENS,
        text_slots=recipe.text_slots,
    )


def build_body(recipe: ShowoRecipe, layout: Layout) -> PhiConfig:
    heads = recipe.hidden_size // HEAD_SIZE
    config = PhiConfig(
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.num_layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        hidden_act="gelu_pytorch_tanh",  # Phi's own "gelu_new" in one kernel
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": ROTARY_BASE, "partial_rotary_factor": 0.5},
    )
    return body_config(config, layout)


def build_image_tokenizer(recipe: ShowoRecipe) -> TokenizerConfig:
    """Three levels, so that a code is 4 pixels a side; one block each."""
    return TokenizerConfig(
        bits=recipe.bits,
        channels=recipe.channels,
        encoder_multipliers=(1, 2, 2),
        encoder_blocks=(1, 1, 1),
        decoder_multipliers=(1, 1, 2),
        decoder_blocks=(1, 1, 1),
    )


def fresh(recipe: ShowoRecipe) -> ShowoModel:
    """The organism before training."""
    torch.manual_seed(recipe.seed)
    words = build_words()
    layout = build_layout(recipe, len(words))
    network = ShowoNetwork(build_body(recipe, layout), layout, build_image_tokenizer(recipe))
    drawing = DrawingSettings(steps=recipe.steps, guidance=recipe.guidance)
    return from_network(network.eval(), words, name=recipe.name, drawing=drawing)


@torch.no_grad()
def start_codes(network: ShowoNetwork) -> None:
    """Codes that share bits start with like vectors, where they are read and where they are predicted."""
    layout = network.layout
    bits = network.tokenizer.latents(torch.arange(layout.num_codes))
    for rows in (network.showo.model.embed_tokens.weight[network.code_rows], network.image_head.weight):
        spread = float(rows.std())
        directions = torch.randn(bits.shape[1], rows.shape[1]) * spread / bits.shape[1] ** 0.5
        rows.mul_(0.5).add_(bits @ directions)

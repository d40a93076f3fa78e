"""The published sizes of Show-o (Xie et al. 2024): the same body, drawings of two sizes; and their parameter counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PhiConfig

from bifrons.models.showo.layout import Layout
from bifrons.models.showo.magvit import TokenizerConfig
from bifrons.models.showo.network import ShowoNetwork, body_config

NUM_WORDS = 50_295  # of Phi-1.5's tokenizer
TOKENIZER = TokenizerConfig()
PARTS = {  # what a part of the network is called here, and how its parameters begin
    "language model": "showo.model.",
    "head": "showo.lm_head.",
    "image tokenizer": "tokenizer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What differs between the published checkpoints: how many codes a drawing has. The body is Phi-1.5's."""

    name: str
    hub_name: str
    num_image_tokens: int
    hidden_size: int = 2048
    num_layers: int = 24
    num_heads: int = 32
    intermediate_size: int = 8192

    @property
    def image_size(self) -> int:
        return round(self.num_image_tokens**0.5) * TOKENIZER.shrink

    @property
    def layout(self) -> Layout:
        return Layout(num_words=NUM_WORDS, num_codes=TOKENIZER.num_codes, num_image_tokens=self.num_image_tokens)


SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(name="show-o-256", hub_name="showlab/show-o", num_image_tokens=256),
        Shape(name="show-o-512", hub_name="showlab/show-o-512x512", num_image_tokens=1024),
    )
}


def shape_of(name: str) -> Shape:
    """Raises ValueError for a name that is no preset."""
    if name not in SHAPES:
        raise ValueError(f"there is no shape {name!r}; there are {', '.join(SHAPES)}")
    return SHAPES[name]


def empty_network(name: str) -> ShowoNetwork:
    """A network of a published size on torch's meta device: nothing is downloaded and nothing is filled."""
    shape = shape_of(name)
    phi = PhiConfig(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
    )
    with torch.device("meta"):
        return ShowoNetwork(body_config(phi, shape.layout), shape.layout, TOKENIZER)


def count_parameters(name: str) -> dict[str, int]:
    """Parameters of each part as published: the image head is a copy of the head's rows of codes, and not counted."""
    sizes = {key: parameter.numel() for key, parameter in empty_network(name).named_parameters()}
    return {part: sum(n for key, n in sizes.items() if key.startswith(begin)) for part, begin in PARTS.items()}

"""The published sizes of Janus-Pro: configurations, parameter counts, and networks of random weights at any depth.

Chen et al. 2025 (arXiv 2501.17811) and the published configurations. Random weights serve tests and benchmarks of time
and memory; they answer and draw noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import JanusConfig, JanusForConditionalGeneration

from bifrons.models.janus.load import from_network
from bifrons.models.janus.model import JANUS_GUIDANCE, JanusModel
from bifrons.models.janus.stand_in import BEGIN_IMAGE, BOS, EOS, IMAGE, PAD, SPECIAL_IDS, VOCABULARY, stand_in_processor

IMAGE_SIZE = 384
PATCH_SIZE = 16
NUM_IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE) ** 2
VISION_LAYERS = 24
NUM_CODES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What differs between the published sizes: the language model. Eyes (SigLIP-L/16 at 384) and hand (VQ-16, 16,384
    codes of width 8 on a grid of 24 x 24) are the same.
    """

    name: str
    hub_name: str
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int


SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(
            name="janus-pro-1b",
            hub_name="deepseek-community/Janus-Pro-1B",
            hidden_size=2048,
            num_layers=24,
            num_heads=16,
            intermediate_size=5632,
        ),
        Shape(
            name="janus-pro-7b",
            hub_name="deepseek-community/Janus-Pro-7B",
            hidden_size=4096,
            num_layers=30,
            num_heads=32,
            intermediate_size=11_008,
        ),
    )
}
PARTS = {  # what a part of the network is called here, and how its parameters begin
    "vision encoder": ("model.vision_model.",),
    "vision aligner": ("model.aligner.",),
    "language model": ("model.language_model.",),
    "text head": ("lm_head.",),
    "image head": ("model.generation_head.",),
    "code embeddings": ("model.generation_embeddings.", "model.generation_aligner."),
    "VQ model": ("model.vqmodel.",),
}


def shape_of(name: str) -> Shape:
    """Raises ValueError for a name that is no preset."""
    if name not in SHAPES:
        raise ValueError(f"there is no shape {name!r}; there are {', '.join(SHAPES)}")
    return SHAPES[name]


def shape_config(name: str, *, num_layers: int | None = None, vision_layers: int | None = None) -> JanusConfig:
    """The configuration of a published size, untied, at another depth where asked for.

    Raises ValueError for a name that is no preset, and for fewer than one layer.
    """
    shape = shape_of(name)
    depth = shape.num_layers if num_layers is None else num_layers
    vision_depth = VISION_LAYERS if vision_layers is None else vision_layers
    if depth < 1 or vision_depth < 1:
        raise ValueError(f"{name} needs at least one layer each way, not {depth} and {vision_depth}")
    text: dict[str, Any] = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": depth,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_heads,
        "max_position_embeddings": 16_384,
        "pad_token_id": SPECIAL_IDS[PAD],
        "bos_token_id": SPECIAL_IDS[BOS],
        "eos_token_id": SPECIAL_IDS[EOS],
        "tie_word_embeddings": False,
    }
    vision: dict[str, Any] = {
        "hidden_size": 1024,
        "num_hidden_layers": vision_depth,
        "num_attention_heads": 16,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "projection_dim": shape.hidden_size,
        "num_image_tokens": NUM_IMAGE_TOKENS,
    }
    vq: dict[str, Any] = {
        "embed_dim": 8,
        "num_embeddings": NUM_CODES,
        "latent_channels": 256,
        "base_channels": 128,
        "channel_multiplier": [1, 1, 2, 2, 4],
        "num_res_blocks": 2,
        "projection_dim": shape.hidden_size,
        "image_token_embed_dim": shape.hidden_size,
    }
    return JanusConfig(
        text_config=text,
        vision_config=vision,
        vq_config=vq,
        image_token_id=SPECIAL_IDS[IMAGE],
        tie_word_embeddings=False,
    )


def count_parameters(name: str, *, num_layers: int | None = None) -> dict[str, int]:
    """Parameters of each part, counted on torch's meta device: nothing is downloaded and nothing is filled."""
    with torch.device("meta"):
        network = JanusForConditionalGeneration(shape_config(name, num_layers=num_layers))
    sizes = {key: parameter.numel() for key, parameter in network.named_parameters()}
    found = {part: sum(n for key, n in sizes.items() if key.startswith(begins)) for part, begins in PARTS.items()}
    assert sum(found.values()) == sum(sizes.values()), "every parameter belongs to one part"
    return found


def random_model(
    name: str,
    *,
    num_layers: int | None = None,
    vision_layers: int | None = None,
    dtype: torch.dtype = torch.bfloat16,
    device: str | torch.device = "cpu",
    seed: int = 0,
    processor: Any = None,
) -> JanusModel:
    """A model of a published size with random weights, made where it will run.

    `processor` is the checkpoint's own where its files are at hand; without one a byte-level stand-in of the same
    vocabulary size and special ids takes its place. Raises ValueError as `shape_config` does.
    """
    config = shape_config(name, num_layers=num_layers, vision_layers=vision_layers)
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        network = JanusForConditionalGeneration._from_config(config, dtype=dtype, attn_implementation="sdpa").eval()
    settings: Any = network.generation_config
    settings.pad_token_id, settings.bos_token_id, settings.eos_token_id = (SPECIAL_IDS[t] for t in (PAD, BOS, EOS))
    settings.guidance_scale = JANUS_GUIDANCE
    settings.generation_kwargs = {"boi_token_id": SPECIAL_IDS[BEGIN_IMAGE]}
    processor = processor or stand_in_processor(IMAGE_SIZE, NUM_IMAGE_TOKENS)
    depth = f"{config.text_config.num_hidden_layers} layers"  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    name = f"{name} with random weights, {depth}, seed {seed}"
    seen = config.vision_config.num_hidden_layers  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    known_as = f"{name}, {seen} vision layers, {dtype}, {torch.device(device).type}"  # no hash of 15 GB of noise
    return from_network(network, processor, name=name, known_as=known_as)

"""A tiny Show-o with weights that were never trained, and its files in the published layout."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_janus import BY_HAND, WORDS
from transformers import PhiConfig

from bifrons.models.showo import from_network
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.layout import Layout
from bifrons.models.showo.magvit import TokenizerConfig
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import ShowoNetwork, body_config
from bifrons.models.showo.weights import codebook
from bifrons.organism.words import build_tokenizer, world_words
from bifrons.records import GenerationPair, write_json

BITS, NUM_IMAGE_TOKENS = 5, 16
PROMPTS = ("one", "there is one blue square right of it")
TOKENIZER = TokenizerConfig(
    bits=BITS,
    channels=32,
    encoder_multipliers=(1, 2),
    encoder_blocks=(1, 1),
    decoder_multipliers=(1, 2),
    decoder_blocks=(1, 1),
)
ENDING = 1.6  # what makes untrained answers end within tens of words
DRAWING = DrawingSettings(steps=4, guidance=2.0)


@cache
def text_tokenizer(world: bool = False) -> Any:
    """A few words, or all that scenes can say."""
    return build_tokenizer([*world_words(300), "user", "assistant"] if world else [*WORDS, ":", "user", "assistant"])


def layout(world: bool = False) -> Layout:
    return Layout(
        num_words=len(text_tokenizer(world)),
        num_codes=2**BITS,
        num_image_tokens=NUM_IMAGE_TOKENS,
        text_slots=40 if world else 16,
    )


def phi_config() -> PhiConfig:
    """Phi's own file: its own vocabulary, no query/key layer norm, and dropout that Show-o does not use."""
    return PhiConfig(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        resid_pdrop=0.1,
        partial_rotary_factor=0.5,
    )


def published_phi_config() -> dict[str, Any]:
    """The same in the words of Phi-1.5's published file, which is older than this transformers."""
    config = phi_config()
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    return {key: getattr(config, key) for key in (*sizes, "vocab_size", "resid_pdrop")} | {
        "architectures": ["PhiForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "embd_pdrop": 0.0,
        "eos_token_id": None,
        "hidden_act": "gelu_new",
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-05,
        "model_type": "phi",
        "num_key_value_heads": None,
        "partial_rotary_factor": 0.5,
        "qk_layernorm": False,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.37.0",
        "use_cache": True,
    }


@cache
def network(world: bool = False) -> ShowoNetwork:
    """Its maps are larger than transformers draws them, so that images, words and codes all move its predictions."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = ShowoNetwork(body_config(phi_config(), layout(world)), layout(world), TOKENIZER).eval()
    with torch.no_grad():
        for parameter in made.showo.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6)
            else:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        if world:
            made.showo.lm_head.bias[text_tokenizer(world).eos_token_id] += ENDING
    return made


def generation_pairs(count: int = 2, length: int = NUM_IMAGE_TOKENS) -> list[GenerationPair]:
    generator = torch.Generator().manual_seed(0)
    made: list[GenerationPair] = []
    for index in range(count):
        chosen, rejected = torch.randint(2**BITS, (2, length), generator=generator).tolist()
        codes = {"chosen_codes": tuple(chosen), "rejected_codes": tuple(rejected)}
        made.append(GenerationPair(id=f"g{index}", prompt=PROMPTS[index % 2], provenance=BY_HAND, **codes))
    return made


def make_model(
    dtype: torch.dtype = torch.float32, *, estimator: MaskEstimator | None = None, drawing: DrawingSettings = DRAWING
) -> ShowoModel:
    """A model of one's own: what a test does to it no other test sees."""
    own = copy.deepcopy(network())
    own.showo.to(dtype)
    return from_network(own, text_tokenizer(), name="tiny", drawing=drawing, estimator=estimator)


def write_checkpoint(folder: Path, *, file: str = "model.safetensors", world: bool = False) -> Path:
    """Three folders, as the three published repositories: config.json with the keys that the original writes."""
    checkpoint, phi, magvit = folder / "show-o", folder / "phi-1_5", folder / "magvitv2"
    for each in (checkpoint, phi, magvit):
        each.mkdir(parents=True)
    config = {
        "_class_name": "Showo",
        "_diffusers_version": "0.30.1",
        "codebook_size": 2**BITS,
        "llm_model_path": str(phi),
        "llm_vocab_size": layout(world).num_words,
        "load_from_showo": False,
        "mask_token_id": layout(world).mask,
        "num_new_special_tokens": 10,
        "num_vq_tokens": NUM_IMAGE_TOKENS,
        "vocab_size": layout(world).vocabulary,
        "w_clip_vit": False,
        "vq_model_name": str(magvit),  # ours: the original's code names it
        "text_slots": layout(world).text_slots,  # ours: tiny prompts
    }
    write_json(checkpoint / "config.json", config)
    own = network(world)
    weights = {f"showo.{key}": tensor.clone() for key, tensor in own.showo.state_dict().items()}
    save_file(weights, checkpoint / file, metadata={"format": "pt"})
    write_json(phi / "config.json", published_phi_config())
    text_tokenizer(world).save_pretrained(phi)
    sizes = {key: getattr(TOKENIZER, key) for key in TOKENIZER.__slots__}
    write_json(magvit / "config.json", {"_class_name": "MAGVITv2", "_diffusers_version": "0.30.1", **sizes})
    weights = {key: tensor.clone() for key, tensor in own.tokenizer.state_dict().items()} | codebook(own.tokenizer)
    save_file(weights, magvit / file, metadata={"format": "pt"})
    return checkpoint

"""The organism's shape: a tiny configuration of transformers' own Janus classes, and its processor."""

from __future__ import annotations

from typing import Any

from transformers import JanusConfig, JanusForConditionalGeneration, JanusProcessor, PreTrainedTokenizerFast
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from bifrons.organism.pictures import NUM_IMAGE_TOKENS, PATCH_SIZE
from bifrons.organism.words import CHAT_TEMPLATE, SPECIAL_TOKENS
from bifrons.scenes import IMAGE_SIZE

CODEBOOK_SIZE = 512  # before codes that lie close are joined
GUIDANCE = 1.25  # the best of 1 to 5 on validation scenes at temperature 1: more throws so small a model off its codes


def build_processor(tokenizer: PreTrainedTokenizerFast) -> JanusProcessor:
    """The processor of the organism; its image processor is the PIL one, which needs no torchvision."""
    half = [0.5, 0.5, 0.5]
    images = JanusImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, min_size=PATCH_SIZE, image_mean=half, image_std=half
    )
    return JanusProcessor(images, tokenizer, chat_template=CHAT_TEMPLATE, num_image_tokens=NUM_IMAGE_TOKENS)


def build_config(
    tokenizer: PreTrainedTokenizerFast,
    hidden_size: int = 192,
    num_layers: int = 5,
    intermediate_size: int = 512,
    vision_size: int = 128,
    vision_layers: int = 2,
    vq_channels: int = 32,
    num_codes: int = CODEBOOK_SIZE,
) -> JanusConfig:
    """A Janus configuration for the scene world, untied, with the checkpoint's special ids in place."""
    text: dict[str, Any] = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": hidden_size,
        "intermediate_size": intermediate_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": hidden_size // 32,
        "num_key_value_heads": hidden_size // 32,
        "max_position_embeddings": 1024,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
    }
    vision: dict[str, Any] = {
        "hidden_size": vision_size,
        "num_hidden_layers": vision_layers,
        "num_attention_heads": vision_size // 32,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "mlp_ratio": 2.0,
        "projection_dim": hidden_size,
        "num_image_tokens": NUM_IMAGE_TOKENS,
    }
    vq: dict[str, Any] = {
        "embed_dim": 8,
        "num_embeddings": num_codes,
        "latent_channels": 2 * vq_channels,
        "base_channels": vq_channels,
        "channel_multiplier": [1, 2, 2],
        "num_res_blocks": 1,
        "projection_dim": hidden_size,
        "image_token_embed_dim": hidden_size,
    }
    image_id = tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS["image"])
    assert isinstance(image_id, int)
    return JanusConfig(
        text_config=text, vision_config=vision, vq_config=vq, image_token_id=image_id, tie_word_embeddings=False
    )


def build_model(config: JanusConfig, tokenizer: PreTrainedTokenizerFast) -> JanusForConditionalGeneration:
    """The model with fresh weights, its guidance scale and the special ids of generation."""
    model = JanusForConditionalGeneration(config)
    set_generation(model, tokenizer)
    return model


def set_generation(model: JanusForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> None:
    """Guidance scale and special ids, as transformers' own `generate` wants them."""
    settings: Any = model.generation_config
    settings.pad_token_id = tokenizer.pad_token_id
    settings.bos_token_id = tokenizer.bos_token_id
    settings.eos_token_id = tokenizer.eos_token_id
    settings.guidance_scale = GUIDANCE
    settings.generation_kwargs = {"boi_token_id": tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS["boi"])}

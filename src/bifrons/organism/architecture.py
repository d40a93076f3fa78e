"""The organism's shape: a tiny configuration of transformers' own Janus classes, its tokenizer and its processor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from transformers import JanusConfig, JanusForConditionalGeneration, JanusProcessor, PreTrainedTokenizerFast
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from bifrons.scenes import (
    DETAILED_WORDING,
    IMAGE_SIZE,
    PROMPT_KINDS,
    QUESTION_KINDS,
    SHORT_WORDING,
    captions,
    draw_prompt,
    draw_scene,
    question,
)

PATCH_SIZE = 4
NUM_IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE) ** 2
CODEBOOK_SIZE = 512  # before codes that lie close are joined
GUIDANCE = 1.25  # the best of 1 to 5 on validation scenes at temperature 1: more throws so small a model off its codes
SPECIAL_TOKENS = {
    "pad": "<|pad|>",
    "bos": "<|begin|>",
    "unk": "<|unknown|>",
    "eos": "<|end|>",  # not id 2: transformers' CLIP takes an end id of 2 for a sign of old files
    "image": "<image_placeholder>",
    "boi": "<begin_of_image>",
    "eoi": "<end_of_image>",
    "user": "<|User|>",
    "assistant": "<|Assistant|>",
}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|User|>' if message['role'] == 'user' else '<|Assistant|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image_placeholder>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|>{% endif %}"
)


def world_words(num_scenes: int = 3000) -> list[str]:
    """Every word that the world can say, sorted: gathered from many scenes, so the vocabulary needs no list of its
    own.
    """
    rng = np.random.default_rng(0)
    texts: list[str] = [SHORT_WORDING, DETAILED_WORDING]
    for _ in range(num_scenes):
        scene = draw_scene(rng)
        texts += captions(scene, rng)
        for kind in (*QUESTION_KINDS, "presence"):
            asked = question(scene, kind, rng)
            texts += [asked.text, asked.answer, asked.answer_in_detail]
        texts += [draw_prompt(kind, rng)[0] for kind in PROMPT_KINDS]
    return sorted({word for text in texts for word in re.findall(r"[a-z]+|[.,:?]", text)})


def build_tokenizer(words: Iterable[str] | None = None) -> PreTrainedTokenizerFast:
    """A word-level tokenizer that decodes to exactly the lower-case text that it encoded."""
    punctuation = [".", ",", ":", "?"]
    spelled = [word if word in punctuation else f"▁{word}" for word in (words or world_words())]
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS.values(), *spelled])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=SPECIAL_TOKENS["unk"]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS.values()))
    tokenizer.post_processor = TemplateProcessing(single="$A", pair=None, special_tokens=[])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS["pad"],
        bos_token=SPECIAL_TOKENS["bos"],
        eos_token=SPECIAL_TOKENS["eos"],
        unk_token=SPECIAL_TOKENS["unk"],
        extra_special_tokens={
            "image_token": SPECIAL_TOKENS["image"],
            "boi_token": SPECIAL_TOKENS["boi"],
            "eoi_token": SPECIAL_TOKENS["eoi"],
        },
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


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

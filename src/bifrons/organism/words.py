"""The world's words, and the word-level tokenizer that every model of the organism has."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from bifrons.scenes import (
    DETAILED_WORDING,
    PROMPT_KINDS,
    QUESTION_KINDS,
    SHORT_WORDING,
    captions,
    draw_prompt,
    draw_scene,
    question,
)

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

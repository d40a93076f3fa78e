"""A processor of Janus-Pro's sizes where no checkpoint's own files are at hand: every byte of a text is one token.

The ids that the networks know (begin and end of text, padding, the three image tokens) are the published ones. Texts
come back exactly; only their lengths are not those of the real vocabulary, about four times as many tokens a word.
"""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import JanusProcessor, PreTrainedTokenizerFast
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

VOCABULARY = 102_400
SPECIAL_IDS = {
    "<｜begin▁of▁sentence｜>": 100_000,
    "<｜end▁of▁sentence｜>": 100_001,
    "<｜▁pad▁｜>": 100_002,
    "<begin_of_image>": 100_016,
    "<image_placeholder>": 100_581,
    "<end_of_image>": 100_593,
}
BOS, EOS, PAD, BEGIN_IMAGE, IMAGE, END_IMAGE = SPECIAL_IDS
# Renders what the published template renders for turns of text and images; content has to be a list of parts.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- set role = message['role'] | lower -%}"
    "{{- {'user': '<|User|>', 'assistant': '<|Assistant|>'}.get(role, message['role'] | capitalize) + ': ' -}}"
    "{%- for part in message['content'] -%}"
    "{%- set after_text = not loop.first and message['content'][loop.index0 - 1]['type'] == 'text' -%}"
    "{%- if part['type'] == 'image' -%}"
    "{{- ('' if loop.first else '\n') + '" + IMAGE + "' + ('' if loop.last else '\n') -}}"
    "{%- else -%}"
    "{%- set text = part['text'].lstrip() if loop.first else part['text'] -%}"
    "{%- set text = text.rstrip() if loop.last else text -%}"
    "{{- (' ' if after_text else '') + text -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if not loop.last or add_generation_prompt -%}"
    "{{- '\n\n' if role == 'user' else '" + EOS + "' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|Assistant|>:' -}}{%- endif -%}"
)


@cache
def stand_in_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of 102,400 ids, most of which nothing encodes to."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    taken = set(SPECIAL_IDS.values())
    unused = (index for index in range(len(letters), VOCABULARY) if index not in taken)
    vocabulary = {letter: index for index, letter in enumerate(letters)} | SPECIAL_IDS
    vocabulary |= {f"<unused {index}>": index for index in unused}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_IDS))
    tokenizer.post_processor = TemplateProcessing(
        single=f"{BOS} $A", pair=None, special_tokens=[(BOS, SPECIAL_IDS[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        extra_special_tokens={"image_token": IMAGE, "boi_token": BEGIN_IMAGE, "eoi_token": END_IMAGE},
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def stand_in_processor(image_size: int, num_image_tokens: int) -> JanusProcessor:
    """The processor that a published checkpoint has, system prompt included, with the stand-in tokenizer."""
    half = [0.5, 0.5, 0.5]
    images = JanusImageProcessorPil(size={"height": image_size, "width": image_size}, image_mean=half, image_std=half)
    tokenizer = stand_in_tokenizer()
    return JanusProcessor(
        images,
        tokenizer,
        chat_template=CHAT_TEMPLATE,
        use_default_system_prompt=True,
        num_image_tokens=num_image_tokens,
    )

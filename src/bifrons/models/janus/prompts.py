"""The one place where prompts become token ids: curation, training and evaluation all come here."""

from __future__ import annotations

from typing import Any

PROMPT_VERSION = 1  # part of the key of cached reference log-probabilities; raise it when ids change


class Prompts:
    """Prompt ids of one processor (transformers' JanusProcessor or its like), and the special ids of its tokenizer."""

    def __init__(self, processor: Any, image_token_id: int) -> None:
        tokenizer = processor.tokenizer
        self.processor = processor
        self.tokenizer = tokenizer
        self.image_id = image_token_id
        self.begin_image_id: int = tokenizer.convert_tokens_to_ids(processor.image_start_token)
        self.bos_id: int = tokenizer.bos_token_id
        self.eos_id: int = tokenizer.eos_token_id
        self.pad_id: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        placeholder = tokenizer.convert_tokens_to_ids(processor.image_token)
        if placeholder != image_token_id:
            raise ValueError(
                f"the processor's image token has id {placeholder}, the model's configuration says {image_token_id}"
            )

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text).input_ids)

    def understanding(self, question: str) -> list[int]:
        """A user's turn with one image and a question, up to where the answer starts."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        one = self.processor.replace_image_token({}, 0)
        return self.ids(text.replace(self.processor.image_token, one))

    def generation(self, prompt: str) -> list[int]:
        """A user's turn with a prompt, up to and including the begin-of-image token."""
        content = [{"type": "text", "text": prompt}]
        text = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        return [*self.ids(text), self.begin_image_id]

    def unconditional(self, prompt_ids: list[int]) -> list[int]:
        """The row of guidance without a condition: pads of the prompt's own length around begin of text and of
        image.
        """
        kept = (self.bos_id, self.begin_image_id)
        return [token if token in kept else self.pad_id for token in prompt_ids]

    def response(self, text: str) -> list[int]:
        """Ids of an answer that came as text, without the end token."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

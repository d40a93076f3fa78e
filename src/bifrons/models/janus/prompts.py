"""The one place where prompts become token ids: curation, training and evaluation all come here."""

from __future__ import annotations

from typing import Any

from transformers.models.janus.processing_janus import DEFAULT_SYSTEM_PROMPT

PROMPT_VERSION = 2  # part of the key of cached reference log-probabilities; raise it when ids change
ANSWER = "yes"  # any answer shows what the template puts in front of one


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
        image: str = processor.replace_image_token({}, 0)
        self.places = image.count(processor.image_token)
        self.short_image = image.replace(processor.image_token * self.places, processor.image_token)
        self.special = (processor.image_token, processor.image_start_token, processor.image_end_token)
        self.system = DEFAULT_SYSTEM_PROMPT if processor.use_default_system_prompt else ""
        self.lead = self.answer_lead()
        if self.generation("a")[:1] != [self.bos_id]:
            raise ValueError(
                "prompts do not begin with the begin-of-text token: neither tokenizer nor template adds it"
            )

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text).input_ids)

    def rendered(self, content: list[dict[str, str]], answer: str | None = None) -> str:
        """The chat template's text of a user's turn, up to where the answer starts, or with an answer."""
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            turns.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return self.processor.apply_chat_template(turns, add_generation_prompt=answer is None)

    def answer_lead(self) -> str:
        """What the template puts between the assistant's role and an answer: a space in Janus-Pro's."""
        content = [{"type": "text", "text": "a"}]
        asked, said = self.rendered(content), self.rendered(content, ANSWER)
        lead, _, _ = said.removeprefix(asked).partition(ANSWER)
        return lead if said.startswith(asked) else ""

    def check(self, text: str) -> None:
        """Raises ValueError for a text that would be read as an image."""
        for token in self.special:
            if token in text:
                raise ValueError(f"{text!r} holds {token}, which stands for an image and cannot be part of a text")

    def understanding(self, question: str) -> list[int]:
        """A user's turn with one image and a question, up to where the answer starts, after the checkpoint's own system
        prompt where it has one. Raises ValueError for a question with an image token in it.
        """
        self.check(question)
        text = self.rendered([{"type": "image"}, {"type": "text", "text": question}])
        ids = self.ids(self.system + text.replace(self.processor.image_token, self.short_image))
        place = ids.index(self.image_id)  # widened as ids: a tokenizer takes long over hundreds of equal placeholders
        return [*ids[:place], *[self.image_id] * self.places, *ids[place + 1 :]]

    def generation(self, prompt: str) -> list[int]:
        """A user's turn with a prompt, up to and including the begin-of-image token, without a system prompt.

        Raises ValueError for a prompt with an image token in it.
        """
        self.check(prompt)
        return [*self.ids(self.rendered([{"type": "text", "text": prompt}])), self.begin_image_id]

    def unconditional(self, prompt_ids: list[int]) -> list[int]:
        """The row of guidance without a condition: pads of the prompt's own length around begin of text and of
        image.
        """
        kept = (self.bos_id, self.begin_image_id)
        return [token if token in kept else self.pad_id for token in prompt_ids]

    def response(self, text: str) -> list[int]:
        """Ids of an answer that came as text, as the template would set it, without the end token."""
        return list(self.tokenizer(self.lead + text, add_special_tokens=False).input_ids)

    def text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

"""The one place where prompts become token ids: curation, training and evaluation all come here."""

from __future__ import annotations

from typing import Any

from bifrons.models.showo.layout import Layout

PROMPT_VERSION = 1  # part of the key of cached reference log-probabilities; raise it when ids change
QUESTION = "USER: \n{} ASSISTANT:"  # as Show-o was tuned to be asked; an answer begins with a space
LEAD = " "


class Prompts:
    """Prompt ids of one text tokenizer; special tokens are the layout's, which no text can spell."""

    def __init__(self, tokenizer: Any, layout: Layout) -> None:
        self.tokenizer = tokenizer
        self.layout = layout
        self.begin_id, self.end_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        for kind, token in (("begin", self.begin_id), ("end", self.end_id)):
            if token is None or token >= layout.num_words:
                raise ValueError(f"the text tokenizer has no {kind}-of-text token among its {layout.num_words} words")

    def ids(self, text: str) -> list[int]:
        """Raises ValueError for a text that spells begin or end of text."""
        made: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        if {self.begin_id, self.end_id} & {*made}:
            raise ValueError(f"{text!r} holds a token that begins or ends a text, which cannot be part of one")
        return made

    def understanding(self, question: str) -> list[int]:
        """What stands between an image and its answer."""
        return [self.begin_id, *self.ids(QUESTION.format(question))]

    def generation(self, prompt: str) -> list[int]:
        """What stands before a drawing. Words that the text slots cannot hold are left out, as in training."""
        words = self.ids(prompt)[: self.layout.text_slots - 3]
        return [self.layout.draw, self.begin_id, *words, self.end_id]

    @property
    def unconditional(self) -> list[int]:
        """The row of guidance without a condition: the empty prompt, which a tenth of Show-o's training has."""
        return [self.layout.draw, self.begin_id, self.end_id]

    def response(self, text: str) -> list[int]:
        """Ids of an answer that came as text, without the end token."""
        return self.ids(LEAD + text)

    def text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

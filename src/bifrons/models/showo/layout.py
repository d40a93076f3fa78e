"""Show-o's ids: words, special tokens, image codes and the mask in one vocabulary (Xie et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

NUM_SPECIAL = 10  # pad, begin and end of image, begin and end of video, draw, read, three that video takes
TEXT_SLOTS = 129  # of a drawing prompt: the task's token, 126 words at the most between begin and end of text


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where in the vocabulary each kind of token begins. The published one: 50,295 words, 8,192 codes."""

    num_words: int
    num_codes: int
    num_image_tokens: int
    text_slots: int = TEXT_SLOTS

    @property
    def pad(self) -> int:
        return self.num_words

    @property
    def begin_image(self) -> int:
        return self.num_words + 1

    @property
    def end_image(self) -> int:
        return self.num_words + 2

    @property
    def draw(self) -> int:
        """Begins a prompt to draw from (published as t2i)."""
        return self.num_words + 5

    @property
    def read(self) -> int:
        """Begins a question about an image (published as mmu)."""
        return self.num_words + 6

    @property
    def first_code(self) -> int:
        return self.num_words + NUM_SPECIAL

    @property
    def mask(self) -> int:
        return self.first_code + self.num_codes

    @property
    def vocabulary(self) -> int:
        return self.mask + 1

    def image(self, codes: list[int] | tuple[int, ...]) -> list[int]:
        """An image's ids between begin and end of image."""
        return [self.begin_image, *(self.first_code + code for code in codes), self.end_image]

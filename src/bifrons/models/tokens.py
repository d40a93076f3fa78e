"""What is the same in any model whose answers are words and whose drawings are codes of a codebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bifrons.models.adapted import Adapted
from bifrons.models.pictures import Picture
from bifrons.protocol import Answer, Drawing, Sampling
from bifrons.records import GenerationPair, Pair, UnderstandingPair, content_hash

Report = Callable[[int], None]
GREEDY = Sampling(temperature=0.0)


class PromptIds(Protocol):
    """Texts to the ids that curation, training and evaluation share; `response` gives an answer without its end."""

    def understanding(self, question: str) -> list[int]: ...

    def generation(self, prompt: str) -> list[int]: ...

    def response(self, text: str) -> list[int]: ...


class TokenModel(Adapted, ABC):
    """A family says what its prompts are, how it samples ids, and how codes become pixels."""

    @property
    @abstractmethod
    def prompt_ids(self) -> PromptIds: ...

    @property
    @abstractmethod
    def end_id(self) -> int:
        """The token that ends an answer."""

    @property
    @abstractmethod
    def device(self) -> torch.device: ...

    @property
    @abstractmethod
    def num_image_tokens(self) -> int: ...

    @property
    @abstractmethod
    def num_codes(self) -> int: ...

    @abstractmethod
    def answer_ids(
        self,
        images: Sequence[Picture],
        names: Sequence[str],
        asked: Sequence[list[int]],
        sampling: Sampling,
        report: Report | None,
    ) -> list[Answer]:
        """One answer to each question's ids; images of one name are one image."""

    @abstractmethod
    def draw_ids(self, asked: Sequence[list[int]], sampling: Sampling, report: Report | None) -> list[tuple[int, ...]]:
        """The codes of one drawing of each prompt's ids."""

    @abstractmethod
    def pixel_values(self, codes: Tensor) -> Tensor:
        """Codes [drawings, image tokens] to values around -1..1, [drawings, 3, height, width]."""

    # What a pair's responses are

    def responses(self, pair: UnderstandingPair) -> tuple[list[int], list[int]]:
        """Ids of chosen and rejected with the end token: the sampled ones where the pair has them."""
        made = [
            list(tokens) if tokens is not None else self.prompt_ids.response(text)
            for text, tokens in ((pair.chosen, pair.chosen_tokens), (pair.rejected, pair.rejected_tokens))
        ]
        return [*made[0], self.end_id], [*made[1], self.end_id]

    def drawings(self, pairs: Sequence[Pair]) -> list[GenerationPair]:
        """The generation pairs. Raises ValueError for a drawing that is none of this model."""
        found = [pair for pair in pairs if isinstance(pair, GenerationPair)]
        for pair in found:
            for codes in (pair.chosen_codes, pair.rejected_codes):
                self.check_codes(f"generation pair {pair.id!r}", codes)
        return found

    def check_codes(self, name: str, codes: Sequence[int]) -> None:
        if len(codes) != self.num_image_tokens or not 0 <= min(codes) <= max(codes) < self.num_codes:
            raise ValueError(
                f"{name}: a drawing of this model has {self.num_image_tokens} codes below {self.num_codes}"
            )

    def count_tokens(self, pair: Pair) -> tuple[int, int]:
        if isinstance(pair, GenerationPair):
            return len(pair.chosen_codes), len(pair.rejected_codes)
        chosen, rejected = self.responses(pair)
        return len(chosen), len(rejected)

    # Sampling

    @torch.inference_mode()
    def answer(
        self,
        images: Sequence[Picture],
        questions: Sequence[str],
        sampling: Sampling = GREEDY,
        report: Report | None = None,
    ) -> list[Answer]:
        """One answer to each question about the image of the same index; `report` is told how many items each batch
        ended.

        Raises ValueError when there are not as many images as questions.
        """
        if len(images) != len(questions):
            raise ValueError(f"{len(images)} images for {len(questions)} questions")
        names = [content_hash(image) if isinstance(image, bytes) else f"object {id(image)}" for image in images]
        asked = [self.prompt_ids.understanding(question) for question in questions]
        return self.answer_ids(images, names, asked, sampling, report)

    @torch.inference_mode()
    def draw(
        self, prompts: Sequence[str], sampling: Sampling = Sampling(), report: Report | None = None
    ) -> list[Drawing]:
        """One drawing of each prompt; `report` is told how many items each batch ended."""
        codes = self.draw_codes(prompts, sampling, report)
        return [Drawing(row, pixels) for row, pixels in zip(codes, self.decode(codes), strict=True)]

    @torch.inference_mode()
    def draw_codes(
        self, prompts: Sequence[str], sampling: Sampling = Sampling(), report: Report | None = None
    ) -> list[tuple[int, ...]]:
        """The codes alone: `draw` without its pixels."""
        return self.draw_ids([self.prompt_ids.generation(prompt) for prompt in prompts], sampling, report)

    @torch.inference_mode()
    def decode(self, codes: Sequence[Sequence[int]], batch_size: int = 32) -> list[NDArray[np.uint8]]:
        """Pixels [height, width, 3] of drawings given as codes.

        Raises ValueError for codes that are no drawing of this model.
        """
        for index, row in enumerate(codes):
            self.check_codes(f"drawing {index}", row)
        made: list[NDArray[np.uint8]] = []
        for start in range(0, len(codes), batch_size):
            batch = torch.tensor([list(row) for row in codes[start : start + batch_size]], device=self.device)
            values = self.pixel_values(batch).clamp(-1, 1)
            made += list(((values + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
        return made

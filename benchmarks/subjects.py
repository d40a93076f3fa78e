"""What is measured: the embedded organism, a slice of Janus-Pro-1B, and the full sizes where a GPU is at hand."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from bifrons.models import load
from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.shapes import IMAGE_SIZE, NUM_IMAGE_TOKENS, random_model
from bifrons.models.janus.stand_in import stand_in_processor
from bifrons.protocol import AdapterSettings
from bifrons.records import GenerationPair, Provenance, UnderstandingPair
from bifrons.sources import scene_examples

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
BUILT = Provenance(builder="benchmark")
QUESTION_TOKENS = (12, 16, 20, 24)  # of the real vocabulary; every byte is a token of the stand-in's
ANSWER_TOKENS = (30, 100)  # the study's range
PROMPT_TOKENS = (10, 30)


@dataclass(frozen=True, slots=True)
class Subject:
    """A name, how it is made, and its dtype."""

    name: str
    shape: str
    dtype: str = "fp32"
    num_layers: int | None = None
    vision_layers: int | None = None

    def build(self, device: str = "cpu") -> JanusModel:
        if self.shape == "organism":
            model = load("organism")
            assert isinstance(model, JanusModel)
            model.network.generation_config.generation_kwargs = {"boi_token_id": model.prompts.begin_image_id}
            return model
        processor = stand_in_processor(IMAGE_SIZE, NUM_IMAGE_TOKENS)
        processor.use_default_system_prompt = False  # its bytes would be tokens, five times the published number
        return random_model(
            self.shape,
            processor=processor,
            num_layers=self.num_layers,
            vision_layers=self.vision_layers,
            dtype=DTYPES[self.dtype],
            device=device,
        )

    @property
    def adapter(self) -> AdapterSettings:
        """The study's adapter; on the organism the rank is scaled to its width."""
        rank = 8 if self.shape == "organism" else 64
        return AdapterSettings(rank=rank, alpha=2.0 * rank, dropout=0.0)


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("organism", "organism"),
        Subject("slice fp32", "janus-pro-1b", "fp32", num_layers=2, vision_layers=2),
        Subject("slice bf16", "janus-pro-1b", "bf16", num_layers=2, vision_layers=2),
        Subject("1b", "janus-pro-1b", "bf16"),
        Subject("7b", "janus-pro-7b", "bf16"),
    )
}


def sampled(quick: bool, device: str) -> list[str]:
    """The subjects of what samples."""
    if quick:
        return ["organism"]
    return ["organism", "slice fp32", "slice bf16"] if device == "cpu" else ["1b"]


def picture(size: int, seed: int) -> bytes:
    """A PNG of coloured quarters, `size` pixels a side."""
    quarters = np.random.default_rng(seed).integers(0, 256, size=(2, 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(quarters.repeat(size // 2, axis=0).repeat(size // 2, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()


def words(rng: np.random.Generator, tokens: int) -> str:
    """Lower-case text of `tokens` letters, the stand-in's tokens."""
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size=tokens))


def asked(subject: Subject, questions: int, images: int, seed: int = 0) -> tuple[list[bytes], list[str]]:
    """An image and a question for each of `questions`, over `images` different images in turn."""
    if subject.shape == "organism":
        examples = scene_examples("pairs", images, seed)
        of = [examples[i % images] for i in range(questions)]
        texts = [e.questions[i // images % len(e.questions)].text for i, e in enumerate(of)]
        return [e.image for e in of], texts
    rng = np.random.default_rng(seed)
    pictures = [picture(IMAGE_SIZE, seed + i) for i in range(images)]
    texts = [words(rng, QUESTION_TOKENS[i % len(QUESTION_TOKENS)]) for i in range(questions)]
    return [pictures[i % images] for i in range(questions)], texts


def prompts(subject: Subject, count: int, seed: int = 0) -> list[str]:
    """Prompts of several lengths, as captions have."""
    if subject.shape == "organism":
        return [example.prompt for example in scene_examples("pairs", count, seed)]
    rng = np.random.default_rng([seed, 1])
    return [words(rng, int(rng.integers(*PROMPT_TOKENS, endpoint=True))) for _ in range(count)]


def understanding_pairs(
    subject: Subject, count: int, *, tokens: tuple[int, int] = ANSWER_TOKENS, seed: int = 0
) -> list[UnderstandingPair]:
    """Pairs with an image each: captions of a scene for the organism, else answers of so many tokens (least, most)."""
    rng = np.random.default_rng([seed, 2])
    images, questions = asked(subject, count, count, seed)
    if subject.shape == "organism":
        answers = [example.captions[:2] for example in scene_examples("pairs", count, seed)]
    else:
        lengths = rng.integers(*tokens, endpoint=True, size=(count, 2))
        answers = [(words(rng, chosen - 1), words(rng, rejected - 1)) for chosen, rejected in lengths.tolist()]
    return [
        UnderstandingPair(
            id=f"u{i}",
            image=images[i],
            question=questions[i],
            chosen=answers[i][0],
            rejected=answers[i][1],
            provenance=BUILT,
        )
        for i in range(count)
    ]


def generation_pairs(model: JanusModel, subject: Subject, count: int, seed: int = 0) -> list[GenerationPair]:
    """Pairs of codes: the prompt's scene against the next one for the organism, else random ones."""
    codes: Any
    if subject.shape == "organism":
        codes = model.encode([example.image for example in scene_examples("pairs", count + 1, seed)])
    else:
        codebook = int(model.core.generation_embeddings.num_embeddings)
        size = (count + 1, model.num_image_tokens)
        codes = np.random.default_rng([seed, 3]).integers(0, codebook, size=size).tolist()
    made: list[GenerationPair] = []
    for i, prompt in enumerate(prompts(subject, count, seed)):
        made.append(
            GenerationPair(
                id=f"g{i}",
                prompt=prompt,
                chosen_codes=tuple(codes[i]),
                rejected_codes=tuple(codes[i + 1]),
                provenance=BUILT,
            )
        )
    return made

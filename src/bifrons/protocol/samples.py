"""Small pairs for a model that brings none: plain questions about synthetic pictures, and drawings of random codes."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bifrons.protocol.model import Sampling, UnifiedModel
from bifrons.records import GenerationPair, Provenance, UnderstandingPair

SIDE = 64
QUESTIONS = ("What is in the picture?", "What colour is the left half?", "How many parts does it have?")
ANSWERS = (("Two halves.", "A picture of two halves side by side."), ("It is red.", "No."), ("Two.", "There are many."))
PROMPTS = ("a red square", "two circles on a white table, side by side", "a house")


def picture(seed: int) -> bytes:
    """A PNG of two halves in random colours."""
    colours = np.random.default_rng(seed).integers(0, 256, size=(1, 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours.repeat(SIDE, axis=0).repeat(SIDE // 2, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()


def sample_pairs(model: UnifiedModel) -> tuple[list[UnderstandingPair], list[GenerationPair]]:
    """Three pairs a face, of different lengths. Codes are taken from those that the model itself makes: all are valid.

    Raises ValueError for a model that encodes and draws one code only: no two drawings of it differ.
    """
    made = Provenance(builder="check_model", model=model.identity.name)
    pictures = [picture(seed) for seed in range(len(QUESTIONS))]
    understanding = [
        UnderstandingPair(id=f"u{i}", image=image, question=question, chosen=chosen, rejected=rejected, provenance=made)
        for i, (image, question, (chosen, rejected)) in enumerate(zip(pictures, QUESTIONS, ANSWERS, strict=True))
    ]
    drawn = [drawing.codes for drawing in model.draw(list(PROMPTS[:1]), Sampling(temperature=1.0, seed=0))]
    known = sorted({code for row in (*model.encode(pictures), *drawn) for code in row})
    if len(known) < 2:
        raise ValueError(f"{model.identity.name} encodes and draws one code only; give pairs of your own")
    rng = np.random.default_rng(0)
    generation: list[GenerationPair] = []
    for i, prompt in enumerate(PROMPTS):
        chosen, rejected = (tuple(rng.choice(known, size=model.num_image_tokens).tolist()) for _ in range(2))
        if rejected == chosen:  # few codes and short drawings
            rejected = (next(code for code in known if code != chosen[0]), *rejected[1:])
        generation.append(
            GenerationPair(id=f"g{i}", prompt=prompt, chosen_codes=chosen, rejected_codes=rejected, provenance=made)
        )
    return understanding, generation

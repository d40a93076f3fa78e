"""What the full paper grid and HermesFlow's curation would cost on one H200: an estimate, with all its inputs.

Nothing is measured here. Operations come from the published shapes; the rates are what a probe found on one H200 times
the shares that drawing and steps reached there (README.md), and can be set: `python -m benchmarks cost --utilisation
0.4`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.arithmetic import Shapes
from benchmarks.measure import Row
from bifrons.models.janus.shapes import count_parameters, shape_of

H200_BF16 = 783e12  # operations a second: a product of 8,192 cubed
H200_BANDWIDTH = 3.9e12  # bytes a second: a sum over 512 MiB
PREFIX, ANSWER, PROMPT = 630, 65, 30  # tokens: an image and a question; the middle of 30 to 100; a caption
METHODS, SEEDS, STEPS = 7, 3, 1000
PAIRS = (1300, 288)
EVALUATED = {"answers": 200 + 200 + 500, "drawings": 200 + 50}  # VQA, POPE, VQAv2; CLIPScore and diversity
HERMES = {
    "pairs": 5000,
    "captions": 10,
    "drawings": 16,
    "questions": 8,
}  # questions a drawing, asked of the model itself


@dataclass(frozen=True, slots=True)
class Rates:
    """The shares of the chip's two rates that are reached: by readings and steps of four pairs, by steps of one pair,
    and by drawing.
    """

    utilisation: float = 0.46
    of_one_pair: float = 0.22
    bandwidth_share: float = 0.39

    def computing(self, operations: float) -> float:
        return operations / (H200_BF16 * self.utilisation)

    def reading(self, size: float) -> float:
        return size / (H200_BANDWIDTH * self.bandwidth_share)


@cache
def published(name: str) -> Shapes:
    """Shapes of a published size, from the parameter counts of its configuration; LoRA of rank 64 on all seven maps."""
    counts, shape = count_parameters(name), shape_of(name)
    embedding = 102_400 * shape.hidden_size
    maps = 4 * (2 * shape.hidden_size) + 3 * (shape.hidden_size + shape.intermediate_size)
    return Shapes(
        body=counts["language model"] - embedding,
        lora=64 * maps * shape.num_layers,
        text_head=counts["text head"],
        image_head=counts["image head"],
        code_aligner=counts["code embeddings"],
        vision=counts["vision encoder"] + counts["vision aligner"],
        width=shape.hidden_size,
        layers=shape.num_layers,
        image_tokens=576,
    )


def drawing_seconds(shapes: Shapes, rates: Rates, images: int) -> float:
    """A batch of drawings: each step is bound by memory or by arithmetic, whichever is slower."""
    keys = PROMPT + shapes.image_tokens / 2
    step = max(rates.computing(shapes.drawing_step(images, keys)), rates.reading(shapes.drawing_bytes(images, keys, 2)))
    return step * shapes.image_tokens


def answering_seconds(shapes: Shapes, rates: Rates, questions: int, tokens: int = ANSWER) -> float:
    """A batch of answers to questions about images of their own: the reading, then a step a token."""
    reading = rates.computing(questions * (PREFIX * 2 * shapes.body + shapes.image_tokens * 2 * shapes.vision))
    weights = 2 * shapes.body + 2 * shapes.text_head + 4 * questions * PREFIX * shapes.width * shapes.layers
    step = max(rates.reading(weights), rates.computing(2 * questions * (shapes.body + shapes.text_head)))
    return reading + tokens * step


def grid(shapes: Shapes, rates: Rates) -> dict[str, float]:
    """Seconds of the seven trained strategies with three seeds, their evaluation, and the pairs."""
    u, g = shapes.understanding_step(PREFIX, (ANSWER, ANSWER)), shapes.generation_step(PROMPT)
    runs = METHODS * SEEDS
    cells = runs + 1 + SEEDS * 4  # the base; three soups and the separate adapters a seed
    batch = 64
    drawn = drawing_seconds(shapes, rates, batch) / batch
    answered = answering_seconds(shapes, rates, batch) / batch
    return {
        "pairs": 2 * 2 * PAIRS[0] * answered + 400 * drawn,  # twice as many questions as pairs kept, two answers each
        "references": rates.computing((PAIRS[0] * u + PAIRS[1] * g) / 2),
        "training": runs * STEPS * (u + g) / (H200_BF16 * rates.of_one_pair),
        "evaluation": cells * (EVALUATED["answers"] * answered + EVALUATED["drawings"] * drawn),
    }


def hermes(shapes: Shapes, rates: Rates) -> dict[str, float]:
    """Seconds of one round of HermesFlow's curation: captions, drawings, and the model's judgement of each drawing."""
    batch = 64
    drawn = drawing_seconds(shapes, rates, batch) / batch
    captioned = answering_seconds(shapes, rates, batch) / batch
    judged = answering_seconds(shapes, rates, batch, tokens=4) / batch
    return {
        "captions": HERMES["pairs"] * HERMES["captions"] * captioned,
        "drawings": HERMES["pairs"] * HERMES["drawings"] * drawn,
        "judgement": HERMES["pairs"] * HERMES["drawings"] * HERMES["questions"] * judged,
    }


def run(quick: bool, device: str, rates: Rates | None = None) -> list[Row]:
    rates = rates or Rates()
    rows: list[Row] = []
    for name in ("janus-pro-1b", "janus-pro-7b"):
        shapes = published(name)
        for what, parts in (("paper grid", grid(shapes, rates)), ("HermesFlow's curation", hermes(shapes, rates))):
            details: dict[str, Any] = {part: seconds / 3600 for part, seconds in parts.items()}
            inputs = {
                "rates": [rates.utilisation, rates.of_one_pair, rates.bandwidth_share],
                "prefix": PREFIX,
                "answer": ANSWER,
            }
            hours = sum(parts.values()) / 3600
            what = f"{what} on one H200, estimate"
            details = {"hours": details, "inputs": inputs}
            rows.append(Row(benchmark="cost", subject=name, what=what, ratio=hours, unit="h", details=details))
    return rows

"""Memory and arithmetic of each stage at a published size, from its shapes alone (see `models.costs`).

A drawing takes as many forwards of all its codes as it has steps, with nothing kept between them, so that arithmetic
and not memory bandwidth bounds it; its log-probability takes a row for each mask. The image tokenizer's convolutions
are counted by torch.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from bifrons.models.costs import (
    ANSWER_TOKENS,
    BATCH,
    BF16,
    FP32,
    H100,
    PROMPT_TOKENS,
    QUESTION_TOKENS,
    Device,
    Memory,
    Stage,
    stages_of,
    training_parts,
)
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.shapes import NUM_WORDS, SHAPES, TOKENIZER, count_parameters, empty_network, shape_of

HIDDEN = 2 / math.pi  # the mean share of hidden codes, of N cos(pi t / 2) for t uniform in 0..1
NUM_MASKS, STEPS = MaskEstimator().num_masks, DrawingSettings().steps


def headline() -> str:
    return (
        f"Show-o: {NUM_WORDS:,} words; MAGVIT-v2 of {TOKENIZER.num_codes:,} codes, read and drawn; {NUM_MASKS} masks a "
        f"log-probability, {STEPS} steps a drawing."
    )


def sizes() -> dict[str, str]:
    """Each published size, and it in words."""
    return {
        name: f"{shape.hub_name}: width {shape.hidden_size}, {shape.num_layers} layers, {shape.num_heads} heads, "
        f"intermediate {shape.intermediate_size}; {shape.num_image_tokens} codes, {shape.image_size} pixels a side"
        for name, shape in SHAPES.items()
    }


def image_head(name: str) -> int:
    """Parameters of the copy of the head's rows of codes that trains."""
    return (shape_of(name).hidden_size + 1) * TOKENIZER.num_codes


def adapter_parameters(name: str, rank: int) -> int:
    """LoRA on the six projections of every layer: rank * (inputs + outputs) each."""
    shape = shape_of(name)
    width, inner = shape.hidden_size, shape.intermediate_size
    return shape.num_layers * rank * (4 * 2 * width + 2 * (width + inner))


def memory(name: str, *, rank: int = 64, batch: int = BATCH) -> list[Memory]:
    """Weights in bf16 with heads and image tokenizer in fp32, the cache of answers, and in training what trains."""
    parts, shape = count_parameters(name), shape_of(name)
    whole = parts["head"] + parts["image tokenizer"] + image_head(name)
    weights = {"weights": BF16 * parts["language model"] + FP32 * whole}
    a_token = 2 * shape.num_layers * shape.hidden_size * BF16  # keys and values
    answering = batch * (shape.num_image_tokens + QUESTION_TOKENS + ANSWER_TOKENS) * a_token
    logits = round(2 * NUM_MASKS * HIDDEN * shape.num_image_tokens * TOKENIZER.num_codes)
    return [
        Memory(stage="load", parts=weights),
        Memory(stage=f"draw, {batch} at a time", parts=weights),
        Memory(stage=f"answer, {batch} at a time", parts=weights | {"key-value cache": answering}),
        Memory(
            stage="train, one pair a task",
            parts=weights | training_parts(adapter_parameters(name, rank), image_head(name), logits),
        ),
    ]


@cache
def tokenizer_operations(name: str) -> tuple[float, float]:
    """Of encoding an image and of decoding a drawing."""
    shape, tokenizer = shape_of(name), empty_network(name).tokenizer
    found: list[float] = []
    image = torch.empty(1, 3, shape.image_size, shape.image_size, device="meta")
    codes = torch.zeros(1, shape.num_image_tokens, dtype=torch.long, device="meta")
    for work, given in ((tokenizer.encode, image), (tokenizer.decode, codes)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            work(given)
        found.append(float(counter.get_total_flops()))
    return found[0], found[1]


def stages(name: str, device: Device = H100, *, steps: int = 1000, checkpointing: bool = True) -> list[Stage]:
    parts, shape = count_parameters(name), shape_of(name)
    codes, head = shape.num_image_tokens, image_head(name)
    words = (shape.hidden_size + 1) * NUM_WORDS  # the head's rows of words
    body = parts["language model"] - shape.layout.vocabulary * shape.hidden_size  # the embedding is looked up
    encoding, decoding = tokenizer_operations(name)
    pair_u = body * (codes + QUESTION_TOKENS + 2 * ANSWER_TOKENS) + words * 2 * ANSWER_TOKENS
    pair_g = 2 * NUM_MASKS * (body * (PROMPT_TOKENS + codes) + head * HIDDEN * codes)
    passes = 2 + 2 + (2 if checkpointing else 0)
    weights = BF16 * body
    answer = encoding + 2.0 * (body * (codes + QUESTION_TOKENS + ANSWER_TOKENS) + words * ANSWER_TOKENS)
    drawing = decoding + 2.0 * STEPS * (2 * body * (PROMPT_TOKENS + codes) + head * codes)
    return stages_of(
        device,
        answer=(answer, ANSWER_TOKENS * (weights + FP32 * words)),
        drawing=(drawing, STEPS * (weights + FP32 * head)),
        pairs=(float(pair_u), float(pair_g)),
        step=(passes * float(pair_u + pair_g), 2.0 * passes / 2 * weights),
        read=weights,
        steps=steps,
    )

"""Memory and arithmetic of each stage at a published size, from its shapes alone (see `models.costs`).

Sampling reads every weight of the language model once a token for a whole batch, so it is bound by memory bandwidth.
"""

from __future__ import annotations

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
from bifrons.models.janus.shapes import IMAGE_SIZE, NUM_CODES, NUM_IMAGE_TOKENS, SHAPES, count_parameters, shape_of
from bifrons.models.janus.stand_in import VOCABULARY


def headline() -> str:
    return (
        f"Janus-Pro: {VOCABULARY:,} words; SigLIP-L/16 at {IMAGE_SIZE}, {NUM_IMAGE_TOKENS} image tokens; a VQ model of "
        f"{NUM_CODES:,} codes of width 8, 24 x 24 codes a drawing."
    )


def sizes() -> dict[str, str]:
    """Each published size, and it in words."""
    return {
        name: f"{shape.hub_name}: width {shape.hidden_size}, {shape.num_layers} layers, {shape.num_heads} heads, "
        f"intermediate {shape.intermediate_size}"
        for name, shape in SHAPES.items()
    }


def adapter_parameters(name: str, rank: int) -> int:
    """LoRA on the seven projections of every layer: rank * (inputs + outputs) each."""
    shape = shape_of(name)
    width, inner = shape.hidden_size, shape.intermediate_size
    return shape.num_layers * rank * (4 * 2 * width + 3 * (width + inner))


def memory(name: str, *, rank: int = 64, batch: int = BATCH) -> list[Memory]:
    """Weights in bf16 with the image head in fp32, caches, and in training what trains."""
    parts = count_parameters(name)
    shape = shape_of(name)
    head = parts["image head"]
    weights = {"weights": BF16 * (sum(parts.values()) - head) + FP32 * head}
    a_token = 2 * shape.num_layers * shape.hidden_size * BF16  # keys and values
    drawing = 2 * batch * (PROMPT_TOKENS + NUM_IMAGE_TOKENS) * a_token
    answering = batch * (NUM_IMAGE_TOKENS + QUESTION_TOKENS + 2 * ANSWER_TOKENS) * a_token
    training = training_parts(adapter_parameters(name, rank), head, 2 * 2 * NUM_IMAGE_TOKENS * NUM_CODES)
    return [
        Memory(stage="load", parts=weights),
        Memory(stage=f"draw, {batch} at a time", parts=weights | {"key-value cache": drawing}),
        Memory(stage=f"answer, {batch} at a time", parts=weights | {"key-value cache": answering}),
        Memory(stage="train, one pair a task", parts=weights | training),
    ]


def stages(name: str, device: Device = H100, *, steps: int = 1000, checkpointing: bool = True) -> list[Stage]:
    parts = count_parameters(name)
    shape = shape_of(name)
    body = parts["language model"] - VOCABULARY * shape.hidden_size  # the embedding is looked up, not multiplied
    eyes = parts["vision encoder"] + parts["vision aligner"]
    seeing, asking = NUM_IMAGE_TOKENS, NUM_IMAGE_TOKENS + QUESTION_TOKENS
    pair_u = body * (asking + 2 * ANSWER_TOKENS) + parts["text head"] * 2 * ANSWER_TOKENS
    pair_g = (body + parts["image head"]) * 2 * (PROMPT_TOKENS + NUM_IMAGE_TOKENS)
    passes = 2 + 2 + (2 if checkpointing else 0)
    weights = BF16 * body
    answer = 2.0 * (eyes * seeing + body * (asking + ANSWER_TOKENS) + parts["text head"] * ANSWER_TOKENS)
    drawing = 2.0 * 2 * (body + parts["image head"]) * (PROMPT_TOKENS + NUM_IMAGE_TOKENS)
    return stages_of(
        device,
        answer=(answer, ANSWER_TOKENS * (weights + BF16 * parts["text head"])),
        drawing=(drawing, NUM_IMAGE_TOKENS * (weights + FP32 * parts["image head"])),
        pairs=(pair_u, pair_g),
        step=(passes * float(pair_u + pair_g) + 2.0 * eyes * seeing, 2.0 * passes / 2 * weights),
        read=weights,
        steps=steps,
    )

"""Memory and arithmetic of each stage at a published size, from its shapes alone: estimates, never measurements.

Counting: a forward takes 2 operations a weight and token. A training step on frozen weights takes that forward, once
more where activations are checkpointed, and 2 more for the gradient of the activations; LoRA's own part is left out
(under 3% at rank 64). Attention is left out too (under 8% at 700 tokens). Sampling reads every weight of the language
model once a token for a whole batch, so it is bound by memory bandwidth.
"""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.models.janus.shapes import NUM_CODES, NUM_IMAGE_TOKENS, count_parameters, shape_of

BF16, FP32 = 2, 4
ANSWER_TOKENS, QUESTION_TOKENS, PROMPT_TOKENS = 60, 60, 30  # mean lengths that the estimates take
BATCH = 16  # drawings and answers at a time; each drawing is two rows, for guidance
GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a chip gives in practice: bf16 matrix arithmetic in operations a second, memory in bytes a second."""

    name: str
    arithmetic: float
    bandwidth: float


# Data-sheet peaks (dense bf16; HBM3) times the shares that are commonly reached: 0.45 and 0.7.
H100 = Device(name="H100 SXM at 45% of 989 TFLOP/s and 70% of 3.35 TB/s", arithmetic=0.45 * 989e12, bandwidth=2.345e12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes that a stage holds at its peak, by what they are; activations are not among them."""

    stage: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The arithmetic of a stage, in operations, the bytes it has to read, and the seconds the slower of both takes."""

    name: str
    amount: str
    operations: float
    read: float
    seconds: float


def adapter_parameters(name: str, rank: int) -> int:
    """LoRA on the seven projections of every layer: rank * (inputs + outputs) each."""
    shape = shape_of(name)
    width, inner = shape.hidden_size, shape.intermediate_size
    return shape.num_layers * rank * (4 * 2 * width + 3 * (width + inner))


def memory(name: str, *, rank: int = 64, batch: int = BATCH) -> list[Memory]:
    """Weights in bf16 with both heads in fp32, caches, and in training the fp32 tensors of what trains: values, two
    stashed task gradients, their sum, and AdamW's two moments.
    """
    parts = count_parameters(name)
    shape = shape_of(name)
    heads = parts["text head"] + parts["image head"]
    weights = {"weights": BF16 * (sum(parts.values()) - heads) + FP32 * heads}
    a_token = 2 * shape.num_layers * shape.hidden_size * BF16  # keys and values
    drawing = 2 * batch * (PROMPT_TOKENS + NUM_IMAGE_TOKENS) * a_token
    answering = batch * (NUM_IMAGE_TOKENS + QUESTION_TOKENS + 2 * ANSWER_TOKENS) * a_token
    lora, head = adapter_parameters(name, rank), parts["image head"]
    training = {
        "adapter and head": FP32 * (lora + head),
        "task gradients": FP32 * (2 * lora + head),
        "their sum": FP32 * lora,
        "moments": 2 * FP32 * (lora + head),
        "logits": FP32 * 2 * 2 * NUM_IMAGE_TOKENS * NUM_CODES,
    }
    return [
        Memory(stage="load", parts=weights),
        Memory(stage=f"draw, {batch} at a time", parts=weights | {"key-value cache": drawing}),
        Memory(stage=f"answer, {batch} at a time", parts=weights | {"key-value cache": answering}),
        Memory(stage="train, one pair a task", parts=weights | training),
    ]


def stages(name: str, device: Device = H100, *, steps: int = 1000, checkpointing: bool = True) -> list[Stage]:
    """The stages of the study at the paper's numbers: building pairs, the reference, one run, one evaluation."""
    parts = count_parameters(name)
    shape = shape_of(name)
    body = parts["language model"] - 102_400 * shape.hidden_size  # the embedding is looked up, not multiplied
    eyes = parts["vision encoder"] + parts["vision aligner"]
    seeing, asking = NUM_IMAGE_TOKENS, NUM_IMAGE_TOKENS + QUESTION_TOKENS
    pair_u = body * (asking + 2 * ANSWER_TOKENS) + parts["text head"] * 2 * ANSWER_TOKENS
    pair_g = (body + parts["image head"]) * 2 * (PROMPT_TOKENS + NUM_IMAGE_TOKENS)
    passes = 2 + 2 + (2 if checkpointing else 0)
    weights = BF16 * body

    def answers(count: int) -> tuple[float, float]:
        each = 2.0 * (eyes * seeing + body * (asking + ANSWER_TOKENS) + parts["text head"] * ANSWER_TOKENS)
        rounds = -(-count // BATCH) * ANSWER_TOKENS
        return count * each, rounds * (weights + FP32 * parts["text head"])

    def drawings(count: int) -> tuple[float, float]:
        each = 2.0 * 2 * (body + parts["image head"]) * (PROMPT_TOKENS + NUM_IMAGE_TOKENS)
        rounds = -(-count // BATCH) * NUM_IMAGE_TOKENS
        return count * each, rounds * (weights + FP32 * parts["image head"])

    def stage(label: str, amount: str, *loads: tuple[float, float]) -> Stage:
        seconds = sum(max(operations / device.arithmetic, read / device.bandwidth) for operations, read in loads)
        operations, read = (sum(load[i] for load in loads) for i in range(2))
        return Stage(name=label, amount=amount, operations=operations, read=read, seconds=seconds)

    step = (passes * float(pair_u + pair_g) + 2.0 * eyes * seeing, 2.0 * passes / 2 * weights)
    return [
        stage("understanding pairs", "3,200 answers", answers(3200)),
        stage("generation pairs", "400 drawings", drawings(400)),
        stage("reference", "1,300 + 288 pairs", (2.0 * (1300 * pair_u + 288 * pair_g), 2.0 * (1300 + 288) * weights)),
        stage("diagnosis", "200 batches", (200 * step[0], 200 * step[1])),
        stage("one run", f"{steps:,} steps", (steps * step[0], steps * step[1])),
        stage("one evaluation", "400 answers, 200 drawings", answers(400), drawings(200)),
    ]

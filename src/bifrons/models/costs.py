"""What estimates of memory and arithmetic have in common, whatever the family: estimates, never measurements.

Counting: a forward takes 2 operations a weight and token. A training step on frozen weights takes that forward, once
more where activations are checkpointed, and 2 more for the gradient of the activations; LoRA's own part is left out
(under 3% at rank 64). Attention is left out too (under 8% at 700 tokens).
"""

from __future__ import annotations

from dataclasses import dataclass

BF16, FP32 = 2, 4
ANSWER_TOKENS, QUESTION_TOKENS, PROMPT_TOKENS = 60, 60, 30  # mean lengths that the estimates take
BATCH = 16  # drawings and answers at a time; each drawing is two rows, for guidance
GIB = 1024**3
Load = tuple[float, float]  # operations, bytes read


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


def training_parts(lora: int, head: int, logits: int) -> dict[str, int]:
    """Bytes of the fp32 tensors of what trains: values, two stashed task gradients, their sum, AdamW's two moments; and
    of so many logits.
    """
    return {
        "adapter and head": FP32 * (lora + head),
        "task gradients": FP32 * (2 * lora + head),
        "their sum": FP32 * lora,
        "moments": 2 * FP32 * (lora + head),
        "logits": FP32 * logits,
    }


def stage_of(device: Device, name: str, amount: str, *loads: Load) -> Stage:
    seconds = sum(max(operations / device.arithmetic, read / device.bandwidth) for operations, read in loads)
    operations, read = (sum(load[i] for load in loads) for i in range(2))
    return Stage(name=name, amount=amount, operations=operations, read=read, seconds=seconds)


def stages_of(
    device: Device, *, answer: Load, drawing: Load, pairs: tuple[float, float], step: Load, read: float, steps: int
) -> list[Stage]:
    """The stages of the study at the paper's numbers: building pairs, the reference, one run, one evaluation.

    `answer` and `drawing` are operations of one and bytes read by a batch, `pairs` the weights that one pair of
    understanding and of generation multiply, `step` what a training step costs, `read` the bytes of a forward.
    """

    def many(one: Load, count: int) -> Load:
        return count * one[0], -(-count // BATCH) * one[1]

    scored = 2.0 * (1300 * pairs[0] + 288 * pairs[1]), 2.0 * (1300 + 288) * read
    return [
        stage_of(device, "understanding pairs", "3,200 answers", many(answer, 3200)),
        stage_of(device, "generation pairs", "400 drawings", many(drawing, 400)),
        stage_of(device, "reference", "1,300 + 288 pairs", scored),
        stage_of(device, "diagnosis", "200 batches", (200 * step[0], 200 * step[1])),
        stage_of(device, "one run", f"{steps:,} steps", (steps * step[0], steps * step[1])),
        stage_of(device, "one evaluation", "400 answers, 200 drawings", many(answer, 400), many(drawing, 200)),
    ]

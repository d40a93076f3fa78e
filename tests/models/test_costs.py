"""Estimates from shapes: sums that can be done by hand, and what has to grow with what."""

from __future__ import annotations

import pytest
from peft import LoraConfig, get_peft_model
from torch import device
from transformers import JanusForConditionalGeneration

from bifrons.models.adapter import quiet
from bifrons.models.janus.costs import H100, adapter_parameters, memory, stages
from bifrons.models.janus.model import SITES
from bifrons.models.janus.shapes import SHAPES, count_parameters, shape_config


@pytest.mark.parametrize("rank", [8, 64])
def test_adapters_are_counted_as_peft_makes_them(rank: int) -> None:
    with device("meta"), quiet():
        network = JanusForConditionalGeneration(shape_config("janus-pro-1b"))
        wrapped = get_peft_model(network, LoraConfig(r=rank, target_modules=SITES.targets))
    made = sum(p.numel() for name, p in wrapped.named_parameters() if "lora_" in name)
    assert adapter_parameters("janus-pro-1b", rank) == made


@pytest.mark.parametrize("name", SHAPES)
def test_memory_is_what_is_held(name: str) -> None:
    """bf16, the image head in fp32; what trains is held six times: itself, two gradients, their sum, two moments."""
    parts = count_parameters(name)
    load, draw, _, train = memory(name, rank=64)
    assert load.total == 2 * sum(parts.values()) + 2 * parts["image head"]
    shape = SHAPES[name]
    assert draw.parts["key-value cache"] == 32 * 606 * shape.num_layers * 2 * shape.hidden_size * 2
    lora, head = adapter_parameters(name, 64), parts["image head"]
    held = sum(train.parts[part] for part in ("adapter and head", "task gradients", "their sum", "moments"))
    assert held == 4 * (6 * lora + 4 * head)
    assert load.total < draw.total and load.total < train.total


def test_times_grow_with_what_is_done() -> None:
    """In proportion to steps; with the size; never below arithmetic nor below memory traffic."""
    small, large = stages("janus-pro-1b"), stages("janus-pro-7b")
    for one, other in zip(small, large, strict=True):
        assert one.name == other.name and one.seconds < other.seconds
        for stage in (one, other):
            assert stage.seconds >= 0.999 * max(stage.operations / H100.arithmetic, stage.read / H100.bandwidth)
    run, longer = (next(s for s in stages("janus-pro-1b", steps=n) if s.name == "one run") for n in (1000, 4000))
    assert longer.seconds == pytest.approx(4 * run.seconds)

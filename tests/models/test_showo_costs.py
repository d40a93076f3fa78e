"""Estimates from the published sizes of Show-o: sums that can be done by hand, and what has to grow with what."""

from __future__ import annotations

import pytest
from peft import LoraConfig, get_peft_model
from torch import nn

from bifrons.models.adapter import quiet
from bifrons.models.costs import H100
from bifrons.models.showo import costs
from bifrons.models.showo.costs import adapter_parameters, image_head, memory, stages, tokenizer_operations
from bifrons.models.showo.model import SITES
from bifrons.models.showo.shapes import SHAPES, count_parameters, empty_network, shape_of


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_counted(name: str) -> None:
    """Phi-1.5 with query/key layer norm and a vocabulary of 58,498; the image head is a copy and not counted."""
    found, width, inner, vocabulary = count_parameters(name), 2048, 8192, 50_295 + 10 + 8192 + 1
    block = 4 * (width * width + width) + 2 * width * inner + inner + width + 2 * width + 2 * 2 * 64
    assert found["language model"] == vocabulary * width + 24 * block + 2 * width
    assert found["head"] == vocabulary * (width + 1)
    assert set(found) == {"language model", "head", "image tokenizer"}
    assert (shape_of(name).image_size, shape_of(name).num_image_tokens) in ((256, 256), (512, 1024))


def test_what_is_no_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no shape 'show-o'; there are show-o-256"):
        shape_of("show-o")


def test_adapters_are_counted_as_peft_makes_them() -> None:
    network = empty_network("show-o-256")
    with quiet():
        wrapped = get_peft_model(network, LoraConfig(r=8, target_modules=SITES.targets))  # pyright: ignore[reportArgumentType]
    made = sum(p.numel() for name, p in wrapped.named_parameters() if "lora_" in name)
    assert adapter_parameters("show-o-256", 8) == made


@pytest.mark.parametrize("name", SHAPES)
def test_memory_is_what_is_held(name: str) -> None:
    """bf16 body; head, image tokenizer and the image head's copy in fp32; what trains six times, the head four."""
    parts = count_parameters(name)
    load, _, answer, train = memory(name, rank=64)
    whole = parts["head"] + parts["image tokenizer"] + image_head(name)
    assert load.total == 2 * parts["language model"] + 4 * whole
    assert answer.parts["key-value cache"] == 16 * (SHAPES[name].num_image_tokens + 120) * 24 * 2 * 2048 * 2
    lora, head = adapter_parameters(name, 64), image_head(name)
    held = sum(train.parts[part] for part in ("adapter and head", "task gradients", "their sum", "moments"))
    assert held == 4 * (6 * lora + 4 * head)


def test_convolutions_are_counted() -> None:
    """Of the encoder's first one by hand, and four times as many for four times the pixels."""
    tokenizer = empty_network("show-o-256").tokenizer
    first = tokenizer.encoder.conv_in
    assert isinstance(first, nn.Conv2d)
    small, large = tokenizer_operations("show-o-256"), tokenizer_operations("show-o-512")
    assert small[0] > 2 * first.weight.numel() * 256**2
    for one, other in zip(small, large, strict=True):
        assert 4 <= other / one < 4.5, "attention in the middle grows faster"


def test_times_grow_with_what_is_done() -> None:
    """With codes; in proportion to steps; never below arithmetic nor below memory traffic."""
    for one, other in zip(stages("show-o-256"), stages("show-o-512"), strict=True):
        assert one.name == other.name and one.seconds < other.seconds
        for stage in (one, other):
            assert stage.seconds >= 0.999 * max(stage.operations / H100.arithmetic, stage.read / H100.bandwidth)
    run, longer = (next(s for s in stages("show-o-256", steps=n) if s.name == "one run") for n in (1000, 4000))
    assert longer.seconds == pytest.approx(4 * run.seconds)


def test_masks_are_what_a_pair_of_drawings_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the masks, about twice the run."""
    before = next(s for s in stages("show-o-512") if s.name == "one run").operations
    monkeypatch.setattr(costs, "NUM_MASKS", 2 * costs.NUM_MASKS)
    after = next(s for s in stages("show-o-512") if s.name == "one run").operations
    assert 1.8 < after / before < 2

"""What only a GPU does: recorded steps, products that sum 16 bits in fp32. Skipped without one."""

from __future__ import annotations

import pytest
import torch
from tiny_janus import SETTINGS, generation_pairs, make_model, move_adapter, understanding_pairs
from torch import Tensor

from bifrons.models.exact_logits import exact_logits
from bifrons.models.janus.model import JanusModel
from bifrons.models.lora import LowRank
from bifrons.protocol import Sampling

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
WARM = Sampling(temperature=1.0, guidance=3.0, batch_size=2, max_new_tokens=40, seed=2)


def both() -> tuple[JanusModel, JanusModel]:
    """One trained model on the CPU, and the same on the GPU."""
    made = make_model(), make_model()
    for model in made:
        model.add_adapter(SETTINGS)
        move_adapter(model)
    made[1].to("cuda")
    return made


def test_the_drawings_of_a_gpu_are_those_of_a_cpu() -> None:
    here, there = both()
    prompts = [pair.prompt for pair in generation_pairs(5)]
    assert there.draw_codes(prompts, WARM) == here.draw_codes(prompts, WARM)


def test_the_answers_of_a_gpu_are_those_of_a_cpu() -> None:
    here, there = both()
    pairs = understanding_pairs(5)
    asked = [pair.image for pair in pairs], [pair.question for pair in pairs]
    assert there.answer(*asked, WARM) == here.answer(*asked, WARM)


def made(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).cuda()


def test_logits_of_16_bits_are_exact_in_fp32() -> None:
    hidden, weight = made(7, 512, seed=0).bfloat16().requires_grad_(), made(40, 512, seed=1).bfloat16()
    logits = exact_logits(hidden, weight)
    assert logits.dtype == torch.float32
    assert (logits.double() - hidden.double() @ weight.double().T).abs().max() < 1e-3
    logits.sum().backward()
    assert hidden.grad is not None
    torch.testing.assert_close(hidden.grad.double(), weight.double().sum(dim=0).expand(7, -1), rtol=1e-2, atol=1e-1)


def test_gradients_of_the_factors_are_summed_in_fp32() -> None:
    """Sums over 4,096 tokens; kept in bfloat16 they would be off by half a percent."""
    x, weight = made(4096, 32, seed=0).bfloat16(), made(24, 32, seed=1).bfloat16()
    down, up = made(4, 32, seed=2).requires_grad_(), made(24, 4, seed=3).requires_grad_()
    slope = made(4096, 24, seed=4).bfloat16()
    LowRank.apply(x, weight, None, down, up, 2.0).backward(slope)  # type: ignore[union-attr]
    inner = x.double() @ down.detach().bfloat16().double().T
    exact = 2.0 * slope.double().T @ inner
    assert up.grad is not None and up.grad.dtype == torch.float32
    assert (up.grad.double() - exact).norm() / exact.norm() < 3e-3

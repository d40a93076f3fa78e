"""What a GPU does differently: recorded steps, other kernels, 16-bit products that sum in fp32. Skipped without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import tiny_janus
import tiny_showo
import torch
from tiny_janus import picture, understanding_pairs
from torch import Tensor

from bifrons import align
from bifrons.models.exact_logits import exact_logits
from bifrons.models.lora import LowRank
from bifrons.protocol import AdapterSettings, Sampling
from bifrons.records import GenerationPair
from bifrons.testing import move
from bifrons.training import Recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
WARM = Sampling(temperature=1.0, guidance=3.0, batch_size=2, max_new_tokens=40, seed=2)
SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.0)


@dataclass(frozen=True)
class Family:
    make: Callable[[], Any]
    generation_pairs: Callable[[int], list[GenerationPair]]

    def both(self) -> tuple[Any, Any]:
        """One trained model on the CPU, and the same on the GPU."""
        made = self.make(), self.make()
        for model in made:
            model.add_adapter(SETTINGS)
            move(model)
        made[1].to("cuda")
        return made


@pytest.fixture(params=["janus", "showo"])
def family(request: pytest.FixtureRequest) -> Family:
    tiny: Any = {"janus": tiny_janus, "showo": tiny_showo}[request.param]
    return Family(tiny.make_model, tiny.generation_pairs)


def test_drawings_are_those_of_a_cpu(family: Family) -> None:
    here, there = family.both()
    prompts = [pair.prompt for pair in family.generation_pairs(5)]
    drawn = there.draw_codes(prompts, WARM)
    assert drawn == here.draw_codes(prompts, WARM)
    for first, second in zip(there.decode(drawn), here.decode(drawn), strict=True):
        assert abs(first.astype(int) - second.astype(int)).max() <= 1


def test_answers_are_those_of_a_cpu(family: Family) -> None:
    here, there = family.both()
    pairs = understanding_pairs(5)
    asked = [pair.image for pair in pairs], [pair.question for pair in pairs]
    assert there.answer(*asked, WARM) == here.answer(*asked, WARM)


def test_codes_of_pictures_are_those_of_a_cpu(family: Family) -> None:
    here, there = family.both()
    pictures = [picture(seed) for seed in range(3)]
    assert there.encode(pictures) == here.encode(pictures)


def gradient(model: Any, pairs: list[Any]) -> Tensor:
    """Of the sum of all log-probabilities, in all that trains, one after another."""
    tensors = [p.tensor for p in model.shared_parameters()] + [tensor for _, tensor in model.head_parameters()]
    found = torch.autograd.grad(model.log_probs(model.pack(pairs)).sums.sum(), tensors, allow_unused=True)
    return torch.cat([each.flatten().cpu() for each in found if each is not None])


def test_gradients_are_those_of_a_cpu(family: Family) -> None:
    here, there = family.both()
    for pairs in (understanding_pairs(3), family.generation_pairs(2)):
        own, other = gradient(here, pairs), gradient(there, pairs)
        assert (own - other).norm() < 1e-4 * own.norm()


@pytest.mark.parametrize("strategy", ["pcgrad", "gradient_weighted_smoothed"])
def test_a_run_is_that_of_a_cpu(family: Family, strategy: str) -> None:
    recipe = Recipe(strategy=strategy, steps=4, learning_rate=1e-3, adapter=SETTINGS, pairs_per_step=2)
    read, drawn = understanding_pairs(4), family.generation_pairs(4)
    taken: list[list[float]] = []
    for device in ("cpu", "cuda"):
        model = family.make()
        model.to(device)
        done = align(model, understanding=read, generation=drawn, recipe=recipe, progress=False)
        taken.append([])
        for step in done.steps:
            assert step.understanding is not None and step.generation is not None
            taken[-1] += [step.understanding.loss, step.generation.loss, step.norm_before_clip]
    assert taken[1] == pytest.approx(taken[0], rel=1e-3)


def test_compiled_layers_train_alike(family: Family) -> None:
    taken: list[list[float]] = []
    for compiles in (False, True):
        model = family.make()
        model.to("cuda")
        done = align(
            model,
            understanding=understanding_pairs(2),
            generation=family.generation_pairs(2),
            strategy="naive_joint",
            steps=3,
            learning_rate=1e-3,
            adapter=SETTINGS,
            compile=compiles,
            progress=False,
        )
        taken.append([step.norm_before_clip for step in done.steps])
    assert taken[1] == pytest.approx(taken[0], rel=1e-3)


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

"""LoRA beside bfloat16: as near to exact arithmetic as PEFT's own layer, in its output and in its gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tiny_janus import SETTINGS, make_model, move_adapter
from torch import Tensor

from bifrons.models import lora
from bifrons.models.janus.model import JanusModel
from bifrons.models.lora import LeanLora, LoraLinear


def layer_of(model: JanusModel) -> Any:
    return model.core.language_model.layers[1].self_attn.q_proj


@pytest.fixture
def lean() -> LeanLora:
    model = make_model(torch.bfloat16)
    model.add_adapter(SETTINGS)
    move_adapter(model, 0.3)
    return layer_of(model)


def plain_of(lean: LeanLora, dtype: torch.dtype | None = None) -> Any:
    """PEFT's own layer with the same weights, in another precision where asked for."""
    other: Any = copy.deepcopy(lean)
    other.__class__ = LoraLinear
    return other if dtype is None else other.to(dtype)


def outcome(layer: Any, x: Tensor, slope: Tensor) -> list[Tensor]:
    """Output, and the gradients of x and of both factors."""
    x = x.clone().requires_grad_()
    (made := layer(x)).backward(slope.to(made.dtype))
    factors = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert x.grad is not None
    found = [made.detach(), x.grad, *[factor.grad for factor in factors]]
    for factor in factors:
        factor.grad = None
    return found


@pytest.mark.parametrize("on_a_gpu", [False, True], ids=["in fp32", "in bfloat16, as on a GPU"])
def test_as_near_to_exact_arithmetic_as_peft(lean: LeanLora, on_a_gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if on_a_gpu:  # whose products of bfloat16 sum in fp32
        monkeypatch.setattr(lora, "low_rank_dtype", lambda weight: weight.dtype)
        monkeypatch.setattr(lora, "product_in_fp32", lambda a, b: a.float() @ b.float())
    generator = torch.Generator().manual_seed(0)
    x, slope = (torch.randn(3, 50, 64, generator=generator).bfloat16() for _ in range(2))
    exact = outcome(plain_of(lean, torch.float64), x.double(), slope.double())
    ours, theirs = outcome(lean, x, slope), outcome(plain_of(lean), x, slope)
    for own, other, true in zip(ours, theirs, exact, strict=True):
        assert own.dtype == other.dtype and own.shape == true.shape
        away, others = ((made.double() - true).norm() / true.norm() for made in (own, other))
        assert away < 1.5 * others + 3e-3, "a few times 2^-9, the rounding of bfloat16"
        assert away < 6e-3


def test_the_update_is_felt(lean: LeanLora) -> None:
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(1)).bfloat16()
    assert (lean(x) - lean.get_base_layer()(x)).abs().max() > 0.05


def test_frozen_inputs_get_no_gradient(lean: LeanLora) -> None:
    lean(torch.ones(2, 64, dtype=torch.bfloat16)).sum().backward()
    assert lean.lora_B["default"].weight.grad is not None and lean.get_base_layer().weight.grad is None


@pytest.mark.parametrize("how", ["switched off", "dropout", "two adapters", "fp32 input"])
def test_what_is_not_plain_is_left_to_peft(lean: LeanLora, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(1)).bfloat16()
    if how == "switched off":
        lean.enable_adapters(False)
    elif how == "dropout":
        lean.lora_dropout["default"] = torch.nn.Dropout(0.5)
        lean.train()
    elif how == "two adapters":
        for factors in (lean.lora_A, lean.lora_B):
            factors["other"] = copy.deepcopy(factors["default"])
        lean.scaling["other"], lean.lora_dropout["other"] = 1.0, torch.nn.Identity()
        lean._active_adapter = ["default", "other"]
    else:
        lean.get_base_layer().float()
        x = x.float()
    peft = plain_of(lean)
    made = []
    for layer in (lean, peft):
        torch.manual_seed(0)
        made.append(layer(x))
    assert torch.equal(*made)


def test_only_a_body_in_bfloat16_has_it() -> None:
    for dtype, kind in ((torch.float32, LoraLinear), (torch.bfloat16, LeanLora)):
        model = make_model(dtype)
        model.add_adapter(SETTINGS)
        assert type(layer_of(model)) is kind

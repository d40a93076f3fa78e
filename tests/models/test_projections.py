"""Maps laid out for decoding give what the modules give: stacked or apart, with LoRA, without, and switched off."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_janus import SETTINGS, make_model, move_adapter

from bifrons.models.janus import projections
from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.projections import Maps, can_pack, pack_for, projection_of

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def adapted(dtype: torch.dtype) -> JanusModel:
    model = make_model(dtype)
    model.add_adapter(SETTINGS)
    move_adapter(model, 0.3)
    return model


def attention_of(model: JanusModel) -> tuple[Any, Any, Any]:
    attention = model.core.language_model.layers[1].self_attn
    return attention.q_proj, attention.k_proj, attention.v_proj


def states(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, 64, generator=torch.Generator().manual_seed(0)).to(dtype)


@DTYPES
@pytest.mark.parametrize("large", [False, True], ids=["stacked", "apart"])
@pytest.mark.parametrize("low", [False, True], ids=["fp32 update", "update in the weight's dtype, as on a GPU"])
@torch.no_grad()
def test_maps_are_their_modules(dtype: torch.dtype, large: bool, low: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With LoRA on them."""
    if low:
        monkeypatch.setattr(projections, "low_rank_dtype", lambda weight: weight.dtype)
    if large:
        monkeypatch.setattr(projections, "MOST_COPIED", 0)
    modules = attention_of(adapted(dtype))
    given = states(dtype, 3, 2)
    expected = [module(given) for module in modules]
    maps = Maps(*modules, rows=3)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    torch.testing.assert_close(maps.together(given), torch.cat(expected, dim=-1), **tolerance)
    for made, wanted in zip(maps.apart(given), expected, strict=True):
        torch.testing.assert_close(made, wanted, **tolerance)
    without = torch.cat([module.base_layer(given) for module in modules], dim=-1)
    assert (torch.cat(expected, dim=-1) - without).abs().max() > 0.05, "LoRA moves the outputs: losing it would show"


@torch.no_grad()
def test_a_switched_off_adapter_is_left_out() -> None:
    model = adapted(torch.float32)
    module = attention_of(model)[0]
    given = states(torch.float32, 5)
    with model.base_only():
        assert torch.equal(Maps(module, rows=5).together(given), module.base_layer(given))


@torch.no_grad()
def test_weights_are_read_when_the_maps_are_made() -> None:
    """Training between two calls is seen by the second: nothing is kept from call to call."""
    model = adapted(torch.float32)
    module = attention_of(model)[0]
    given = states(torch.float32, 5)
    first = Maps(module, rows=5).together(given)
    move_adapter(model, 0.3, seed=1)
    torch.testing.assert_close(Maps(module, rows=5).together(given), module(given), rtol=1e-5, atol=1e-5)
    assert (module(given) - first).abs().max() > 0.05


@DTYPES
@torch.no_grad()
def test_packed_weights_give_the_same(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """What large maps do on a CPU; other numbers of rows than a step's go through the plain weight."""
    monkeypatch.setattr(projections, "MOST_COPIED", 0)
    if not can_pack(dtype):
        pytest.skip(f"torch has no oneDNN products of {dtype} here")
    module = torch.nn.Linear(64, 48, dtype=dtype)
    plain = projection_of(module)
    assert plain is not None
    packed = pack_for(plain, 16)
    assert packed.packed is not None
    assert (pack_for(plain, 1).packed is None) == (dtype == torch.float32), "one fp32 row is bound by memory"
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    for rows in (1, 16, 200):
        given = states(dtype, rows)
        torch.testing.assert_close(packed(given), module(given), rtol=tolerance, atol=tolerance)
    assert packed(states(dtype, 16, 1)).shape == (16, 1, 48)


def test_what_is_no_linear_map_is_called_as_it_is() -> None:
    class Own(torch.nn.Linear):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(given)

    module = Own(64, 8)
    given = states(torch.float32, 3)
    assert projection_of(module) is None
    assert torch.equal(Maps(module, rows=3).together(given), module(given))

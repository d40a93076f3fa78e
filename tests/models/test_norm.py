"""The norm that a GPU uses is transformers' own up to a rounding, backwards too; on a CPU it is transformers' own."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_janus import make_model
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from bifrons.models.norm import FusedRMSNorm


def made(dtype: torch.dtype) -> tuple[FusedRMSNorm, LlamaRMSNorm, Tensor]:
    norm = make_model(dtype).core.language_model.norm
    generator = torch.Generator().manual_seed(0)
    norm.weight.data = (1 + torch.rand(norm.weight.shape, generator=generator)).to(dtype)
    plain = copy.deepcopy(norm)
    plain.__class__ = LlamaRMSNorm
    return norm, plain, (3 * torch.randn(5, 7, norm.weight.shape[0], generator=generator)).to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_fused_norm_is_the_plain_one(dtype: torch.dtype, tolerance: float) -> None:
    norm, plain, x = made(dtype)
    assert type(norm) is FusedRMSNorm
    outcomes = []
    for function in (norm.fused, plain.forward):
        given = x.clone().requires_grad_()
        states = function(given)
        states.square().sum().backward()
        assert given.grad is not None and states.dtype == dtype
        outcomes.append((states.detach(), given.grad))
    for ours, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=4 * tolerance, atol=tolerance * float(theirs.abs().max()))


def test_on_a_cpu_nothing_changes() -> None:
    norm, plain, x = made(torch.bfloat16)
    assert torch.equal(norm(x), plain(x))

"""Logits of a head in 16 bits are those of its fp32 copy, and so are their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bifrons.models import exact_logits as module
from bifrons.models.exact_logits import exact_logits


def made(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("words", [1, 16, 50], ids=["one chunk", "whole chunks", "a part of a chunk"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["a body in bf16", "fp32 states"])
def test_as_with_an_fp32_copy(words: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ELEMENTS", 16 * 24)
    weight, slope = made(words, 24).bfloat16(), made(7, words, seed=1)
    found = []
    for head in (weight, weight.float()):
        hidden = made(7, 24, seed=2).to(dtype).requires_grad_()
        logits = exact_logits(hidden, head)
        logits.backward(slope)
        assert logits.dtype == torch.float32 and hidden.grad is not None
        found.append((logits.detach(), hidden.grad))
    (ours, own), (copy, other) = found
    torch.testing.assert_close(ours, copy, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(own, other, rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=1e-5)


def test_rounding_the_product_would_show() -> None:
    """The reason for fp32: a product in bfloat16 is off by a hundredth, and a drawing sums 576 of them."""
    hidden, weight = made(7, 512, seed=2).bfloat16(), made(40, 512).bfloat16()
    exact = hidden.double() @ weight.double().T
    assert (exact_logits(hidden, weight) - exact).abs().max() < 1e-4
    assert ((hidden @ weight.T).double() - exact).abs().max() > 1e-2

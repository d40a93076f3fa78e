"""The log-probabilities of targets are those of log-softmax and gather, and so are their gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear

from bifrons.models import target_log_probs as module
from bifrons.models.target_log_probs import target_log_probs


def problem(positions: int, words: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(positions, 16, requires_grad=True)
    weight = torch.randn(words, 16, requires_grad=True)
    return hidden, weight, torch.randint(0, words, (positions,)), torch.randn(positions)


@pytest.mark.parametrize(("positions", "words"), [(1, 1), (7, 5), (100, 301)])
@pytest.mark.parametrize("elements", [1, 600, 2**20])
def test_values_and_gradients_equal_log_softmax(
    monkeypatch: pytest.MonkeyPatch, positions: int, words: int, elements: int
) -> None:
    """Whatever number of positions is worked on at a time: one by one, two by two with a rest, all together."""
    monkeypatch.setattr(module, "ELEMENTS", elements)
    hidden, weight, target, scale = problem(positions, words)
    found, gradients = [], []
    for of in (
        lambda logits: logits.log_softmax(dim=-1).gather(-1, target[:, None])[:, 0],
        lambda logits: target_log_probs(logits, target),
    ):
        values = of(linear(hidden, weight))
        found.append(values.detach())
        gradients.append(torch.autograd.grad((values * scale).sum(), (hidden, weight)))
    torch.testing.assert_close(found[1], found[0])
    for ours, wanted in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(ours, wanted)


def test_logits_of_great_size_neither_overflow_nor_vanish() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    values = target_log_probs(logits * 1.0, torch.tensor([1]))
    assert values.item() == -2e4
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.tolist() == [[-1.0, 1.0, 0.0]]


def test_a_graph_that_is_kept_gives_the_same_gradient_again() -> None:
    hidden, weight, target, _ = problem(3, 4)
    values = target_log_probs(linear(hidden, weight), target).sum()
    first, second = (torch.autograd.grad(values, (hidden, weight), retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_no_target_no_value() -> None:
    logits = torch.zeros(0, 5, requires_grad=True)
    values = target_log_probs(logits * 1.0, torch.zeros(0, dtype=torch.long))
    assert values.shape == (0,)
    values.sum().backward()

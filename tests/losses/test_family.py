"""The losses beside DPO: TRL's numbers where TRL has the loss, a slow scalar computation elsewhere; value before step 0
and the direction of the gradient for each.
"""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from bifrons.losses import (
    LOSS_SETTINGS,
    LOSSES,
    Responses,
    dpo,
    dpo_sft,
    ipo,
    kto_pair,
    make_loss,
    pair_product,
    product_slopes,
    simpo,
)

BETA = 0.3
COUNTS = ((7, 4), (30, 60), (5, 5), (1, 9))


def responses(seed: int = 0) -> Responses:
    """Four pairs of different lengths, policy and reference apart."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.tensor(COUNTS)
    policy = -2 * tokens * torch.rand(4, 2, generator=generator)
    reference = policy.detach() + torch.randn(4, 2, generator=generator)
    return Responses(policy.requires_grad_(), reference, tokens)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slow(name: str, seen: Responses, pair: int) -> float:
    """One pair's loss in plain numbers, from the papers' own symbols."""
    (pc, pr), (rc, rr) = seen.policy[pair].tolist(), seen.reference[pair].tolist()
    nc, nr = COUNTS[pair]
    if name == "dpo":
        return -math.log(sigmoid(BETA * ((pc - pr) - (rc - rr))))
    if name == "dpo_length_normalized":
        return -math.log(sigmoid(BETA * ((pc - rc) / nc - (pr - rr) / nr)))
    if name == "dpo_sft":
        return -math.log(sigmoid(BETA * ((pc - pr) - (rc - rr)))) - 1.0 * pc / nc
    if name == "ipo":
        return ((pc - pr) - (rc - rr) - 1 / (2 * BETA)) ** 2
    if name == "ipo_per_token":
        return ((pc - rc) / nc - (pr - rr) / nr - 1 / (2 * BETA)) ** 2
    if name == "kto_pair":
        chosen, rejected = pc - rc, pr - rr
        gained, lost = sigmoid(BETA * (chosen - max(0.0, rejected))), sigmoid(BETA * (max(0.0, chosen) - rejected))
        return 1 - (gained + lost) / 2
    assert name == "simpo"
    return -math.log(sigmoid(BETA * (pc / nc - pr / nr) - 0.5))


@pytest.mark.parametrize("name", LOSSES)
def test_values_against_plain_numbers(name: str) -> None:
    seen = responses()
    expected = [slow(name, seen, pair) for pair in range(4)]
    assert make_loss(name, BETA)(seen).tolist() == pytest.approx(expected, rel=1e-5)


def trl_loss(types: list[str], seen: Responses, weights: list[float] | None = None) -> Tensor:
    """TRL's own DPO loss of these types on these log-probabilities, its mean over the pairs.

    Its `_compute_loss` is run as it stands on a trainer that is no more than its settings: each token of a response
    gets an equal part of the response's sum.
    """
    from trl import DPOTrainer

    sums = torch.cat([seen.policy[:, 0], seen.policy[:, 1]])
    counts = torch.cat([seen.tokens[:, 0], seen.tokens[:, 1]])
    mask = torch.arange(int(counts.max()) + 1)[None, :] <= counts[:, None]
    mask[:, 0] = False  # a prompt of one token
    each = (sums / counts)[:, None] * mask[:, 1:]
    nothing = torch.zeros_like(each).detach()
    outputs = SimpleNamespace(log_probs=each, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())

    def alone(value: Tensor) -> Tensor:
        return value

    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=SimpleNamespace(device=torch.device("cpu"), gather=alone, gather_for_metrics=alone),
        loss_types=types,
        loss_weights=weights or [1.0] * len(types),
        beta=BETA,
        label_smoothing=0.0,
        f_divergence_type="reverse_kl",
        ld_alpha=None,
        use_weighting=False,
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {
        "input_ids": torch.zeros_like(mask, dtype=torch.long),
        "attention_mask": torch.ones_like(mask, dtype=torch.long),
        "completion_mask": mask.long(),
        "ref_chosen_logps": seen.reference[:, 0],
        "ref_rejected_logps": seen.reference[:, 1],
    }
    made: Any = DPOTrainer._compute_loss
    return made(trainer, lambda **_: outputs, inputs, return_outputs=False)


@pytest.mark.parametrize(
    ("name", "types"),
    [("dpo", ["sigmoid"]), ("dpo_length_normalized", ["sigmoid_norm"]), ("ipo_per_token", ["ipo"])],
)
def test_trl_gives_the_same_loss_and_gradient(name: str, types: list[str]) -> None:
    ours, theirs = responses(), responses()
    loss, expected = make_loss(name, BETA)(ours).mean(), trl_loss(types, theirs)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    loss.backward()
    expected.backward()
    assert ours.policy.grad is not None and theirs.policy.grad is not None
    torch.testing.assert_close(ours.policy.grad, theirs.policy.grad, rtol=1e-3, atol=1e-6)


def test_trls_anchor_weighs_tokens_where_ours_weighs_pairs() -> None:
    """For one pair the two are one; over a batch TRL's mean is over tokens, RPO's and ours over responses."""
    seen = responses()
    one = Responses(seen.policy[:1].detach().requires_grad_(), seen.reference[:1], seen.tokens[:1])
    expected = trl_loss(["sigmoid", "sft"], one, [1.0, 0.7])
    assert make_loss("dpo_sft", BETA, sft_weight=0.7)(one).item() == pytest.approx(expected.item(), rel=1e-4)


# before step 0 policy and reference are equal: what each loss is then, and which way it moves chosen and rejected
START = {
    "dpo": math.log(2),
    "dpo_length_normalized": math.log(2),
    "dpo_sft": math.log(2) + 1.5,  # at 1.5 nats a token
    "ipo": (1 / (2 * BETA)) ** 2,
    "ipo_per_token": (1 / (2 * BETA)) ** 2,
    "kto_pair": 0.5,
    "simpo": -math.log(sigmoid(-0.5)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_before_step_0(name: str) -> None:
    """The known value, and a gradient that raises the chosen response and lowers the rejected one."""
    tokens = torch.tensor(COUNTS)
    policy = (-1.5 * tokens).requires_grad_()
    losses = make_loss(name, BETA)(Responses(policy, policy.detach(), tokens))
    assert losses.tolist() == pytest.approx([START[name]] * 4, rel=1e-6)
    losses.sum().backward()
    assert policy.grad is not None
    assert bool((policy.grad[:, 0] < 0).all()) and bool((policy.grad[:, 1] > 0).all())


@pytest.mark.parametrize("name", LOSSES)
def test_a_pairs_loss_is_its_own(name: str) -> None:
    """No loss looks at other pairs of a batch, so that micro-batches change nothing."""
    seen = responses()
    together = make_loss(name, BETA)(seen)
    for pair in range(4):
        one = slice(pair, pair + 1)
        alone = make_loss(name, BETA)(Responses(seen.policy[one], seen.reference[one], seen.tokens[one]))
        torch.testing.assert_close(alone, together[one])


def test_ipo_stops_at_its_target() -> None:
    """The gradient is zero at a margin of 1 / (2 beta) and turns round beyond it, where DPO goes on for ever."""
    margin = torch.tensor([4.9, 5.0, 5.1], requires_grad=True)
    ipo(margin, 0.1).sum().backward()
    assert margin.grad is not None
    assert margin.grad.tolist() == pytest.approx([-0.2, 0.0, 0.2], abs=1e-5)


def test_simpo_ignores_the_reference_and_the_length() -> None:
    """Twice the tokens at the same mean is the same loss; gamma is the margin at which it is ln 2."""
    short = simpo(torch.tensor([-4.0]), torch.tensor([-8.0]), torch.tensor([4]), torch.tensor([4]), 2.0, 2.0)
    long = simpo(torch.tensor([-8.0]), torch.tensor([-8.0]), torch.tensor([8]), torch.tensor([4]), 2.0, 2.0)
    assert short.item() == pytest.approx(math.log(2)) and long.item() == pytest.approx(math.log(2))


def test_kto_lets_no_gradient_through_its_reference_point() -> None:
    """With r- = 2 the chosen response is measured against 2; the rejected one moves by its own term alone."""
    chosen, rejected = torch.tensor([1.0], requires_grad=True), torch.tensor([2.0], requires_grad=True)
    kto_pair(chosen, rejected, BETA).sum().backward()
    assert chosen.grad is not None and rejected.grad is not None

    def slope(x: float) -> float:
        return BETA * sigmoid(x) * (1 - sigmoid(x))

    assert chosen.grad.item() == pytest.approx(-slope(BETA * (1 - 2)) / 2)
    assert rejected.grad.item() == pytest.approx(slope(BETA * (1 - 2)) / 2)


def test_the_anchor_holds_what_dpo_lets_fall() -> None:
    """Where DPO is satisfied its gradient is gone, and the anchor still raises the chosen response."""
    policy = torch.tensor([-10.0], requires_grad=True)
    dpo_sft(torch.tensor([200.0]), policy, torch.tensor([5]), BETA, 0.5).sum().backward()
    assert policy.grad is not None and policy.grad.item() == pytest.approx(-0.5 / 5)


MARGINS = [(0.0, 0.0), (-1.0, -1.0), (3.0, -1.0), (2.0, 5.0), (-4.0, 0.5)]


@pytest.mark.parametrize("at", MARGINS)
def test_the_slopes_of_the_product_are_its_gradient(at: tuple[float, float]) -> None:
    """Backing each margin up with its slope is the gradient of Eq. 6, one task at a time."""
    u, g = (torch.tensor([value], requires_grad=True) for value in at)
    loss = pair_product(u, g, 0.2, 0.5)
    assert loss.item() == pytest.approx(-math.log(sigmoid(0.2 * at[0] * 0.5 * at[1])), rel=1e-6)
    loss.sum().backward()
    slopes = product_slopes(u.detach(), g.detach(), 0.2, 0.5)
    assert u.grad is not None and g.grad is not None
    assert [s.item() for s in slopes] == pytest.approx([u.grad.item(), g.grad.item()], rel=1e-6, abs=1e-12)


def pushes(understanding: float, generation: float) -> tuple[float, float]:
    """Which way descent moves each margin under the product: minus the slopes."""
    slopes = product_slopes(torch.tensor([understanding]), torch.tensor([generation]), 1.0, 1.0)
    return -slopes[0].item(), -slopes[1].item()


def test_the_product_is_a_saddle_at_the_start() -> None:
    """Policy = reference: ln 2 and no gradient at all, while the sum pushes both margins up."""
    assert pushes(0.0, 0.0) == (0.0, 0.0)
    margin = torch.zeros(2, requires_grad=True)
    dpo(margin, 1.0).sum().backward()
    assert margin.grad is not None and bool((margin.grad < 0).all())


def test_the_product_pushes_two_wrong_margins_the_wrong_way() -> None:
    assert all(push < 0 for push in pushes(-1.0, -1.0))


def test_the_product_pushes_a_good_margin_down() -> None:
    understanding, generation = pushes(3.0, -1.0)
    assert understanding < 0 < generation


def test_the_product_couples_the_scales() -> None:
    """The push on understanding is proportional to the other's margin, 576 tokens against 30: not to its own."""
    near = pushes(1e-3, 1e-3)[0]
    assert pushes(1e-3, 19.2e-3)[0] == pytest.approx(19.2 * near, rel=1e-3)


@pytest.mark.parametrize(("name", "settings"), [("simpo", {"gamma": 1.0}), ("dpo_sft", {"sft_weight": 0.2})])
def test_settings_reach_their_loss(name: str, settings: dict[str, float]) -> None:
    seen = responses()
    assert not torch.equal(make_loss(name, BETA, **settings)(seen), make_loss(name, BETA)(seen))
    assert tuple(settings) == LOSS_SETTINGS[name]


@pytest.mark.parametrize(
    ("name", "beta", "settings", "message"),
    [
        ("hinge", 0.1, {}, "there is no loss 'hinge'; there are dpo, "),
        ("dpo", 0.1, {"gamma": 1.0}, "loss dpo has no setting 'gamma'; it has none but beta"),
        ("simpo", 0.1, {"gamma": -1.0}, "gamma is -1.0"),
        ("dpo_sft", 0.1, {"sft_weight": float("nan")}, "weight is nan"),
        *((name, 0.0, {}, "beta is 0.0") for name in LOSSES),
    ],
)
def test_mistakes_are_named(name: str, beta: float, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(name, beta, **settings)

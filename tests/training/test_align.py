"""A step is what the study says it is: two losses, their weighted gradients, one clip, one AdamW step, one record."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from short_run import GENERATION, NO_DROPOUT, UNDERSTANDING, Alternating, run, same, timeless, trained
from tiny_janus import (
    SETTINGS,
    base_head,
    generation_pairs,
    make_model,
    move_adapter,
    plain_sums,
    sums_of,
    understanding_pairs,
)
from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.models.janus.model import JanusModel
from bifrons.records import GenerationPair, Observation, RunRecord, StepRecord, read_json, read_steps
from bifrons.strategies import make_strategy
from bifrons.training import held_out

LN_2 = math.log(2)
TASKS = ("understanding", "generation")


def losses(step: StepRecord) -> tuple[float, float]:
    assert step.understanding is not None and step.generation is not None
    return step.understanding.loss, step.generation.loss


def test_the_first_loss_is_ln_2(model: JanusModel) -> None:
    """Policy and reference are one model before step 0, dropout or not: margin 0 and loss ln 2 for each task in fp32.

    Three pairs a step, while the reference was computed pair by pair: padding is not seen.
    """
    done = run(model, steps=1, pairs_per_step=3, strategy="naive_joint")
    assert losses(done.steps[0]) == pytest.approx((LN_2, LN_2), abs=1e-5)
    assert done.record.margin_noise_understanding == done.record.margin_noise_generation == 0.0


def test_margins_rise(model: JanusModel) -> None:
    """After ten steps at a large learning rate every trained pair's chosen response has gained on its rejected one."""
    done = run(model, steps=10, learning_rate=5e-3, pairs_per_step=4, strategy="naive_joint")
    last = done.steps[-1]
    for seen in (last.understanding, last.generation):
        assert seen is not None and seen.accuracy == 1.0 and seen.margin > 1
        assert seen.margin == pytest.approx(seen.chosen_log_ratio - seen.rejected_log_ratio, abs=1e-3)
    assert all(late < LN_2 for late in losses(last))


Sums = Callable[[JanusModel, list[Any]], Tensor]


def plain(model: JanusModel, pairs: list[Any]) -> Tensor:
    """One plain sequence at a time through transformers' own forward."""
    return torch.stack([plain_sums(model, pair) for pair in pairs])


def packed(model: JanusModel, pairs: list[Any]) -> Tensor:
    """As training does it, which tests/models shows to be equal but for rounding."""
    return model.log_probs(model.pack(pairs)).sums


def oracle_losses(model: JanusModel, step: StepRecord, sums: Sums, beta: float) -> list[Tensor]:
    """Eq. 1 to 4 by hand on the pairs that the record names."""
    made: list[Tensor] = []
    for task, pairs in zip(TASKS, (UNDERSTANDING, GENERATION), strict=True):
        chosen = [pair for name in getattr(step, task).records for pair in pairs if pair.id == name]
        with model.base_only(), torch.no_grad():
            reference = sums(model, chosen)
        ratios = sums(model, chosen) - reference
        made.append(-logsigmoid(beta * (ratios[:, 0] - ratios[:, 1])).mean())
    return made


Combine = Callable[[Tensor, Tensor], Tensor]


def summed(weight_understanding: float, weight_generation: float) -> Combine:
    return lambda u, g: weight_understanding * u + weight_generation * g


def projected(u: Tensor, g: Tensor) -> Tensor:
    """PCGrad as its paper draws it: each gradient loses what points against the other."""
    product = u @ g
    if product >= 0:
        return u + g
    return (u - product / (g @ g) * g) + (g - product / (u @ u) * u)


@pytest.mark.parametrize(
    ("settings", "combine", "head_weight"),
    [
        ({"strategy": "naive_joint"}, summed(1, 1), 1.0),
        (
            {"strategy": "fixed_weight", "strategy_settings": {"understanding": 0.3, "generation": 1.7}},
            summed(0.3, 1.7),
            1.7,
        ),
        ({"strategy": "pcgrad"}, projected, 1.0),
        ({"strategy": "naive_joint", "clip": 1e6}, summed(1, 1), 1.0),
    ],
    ids=["naive_joint", "fixed_weight", "pcgrad", "without a clip"],
)
def test_steps_are_adamw_on_the_plain_gradients(
    model: JanusModel, settings: dict[str, Any], combine: Combine, head_weight: float
) -> None:
    """Three steps equal a loop written from the study's text, on every LoRA factor and on the head, to 1e-6.

    Losses as transformers' own forward gives them, one autograd call on each, then the weighting, the clip over all
    trainables, AdamW with decay and the cosine schedule. PCGrad gets 1e-5, a hundredth of a step: where a gradient is
    nearly 0, Adam turns the rounding between projections and weights into a part of a step.
    """
    rate, beta, decay, steps = 1e-3, 0.2, 0.1, 3
    fixed: dict[str, Any] = {"adapter": NO_DROPOUT, "steps": steps, "pairs_per_step": 2, "learning_rate": rate}
    done = run(model, **fixed, beta=beta, weight_decay=decay, **settings)

    by_hand = make_model()
    by_hand.add_adapter(NO_DROPOUT)
    shared = [p.tensor for p in by_hand.shared_parameters()]
    head = [p for _, p in by_hand.head_parameters()]
    optimizer = torch.optim.AdamW([*shared, *head], weight_decay=decay)
    for index, step in enumerate(done.steps):
        with torch.no_grad():
            assert losses(step) == pytest.approx(
                [x.item() for x in oracle_losses(by_hand, step, plain, beta)], abs=1e-5
            )
        loss_u, loss_g = oracle_losses(by_hand, step, packed, beta)
        u = torch.autograd.grad(loss_u, shared)
        g = torch.autograd.grad(loss_g, [*shared, *head])
        flat = combine(torch.cat([t.flatten() for t in u]), torch.cat([t.flatten() for t in g[: len(shared)]]))
        sizes = [p.numel() for p in shared]
        for parameter, gradient in zip(shared, flat.split(sizes), strict=True):
            parameter.grad = gradient.view_as(parameter)
        for parameter, gradient in zip(head, g[len(shared) :], strict=True):
            parameter.grad = head_weight * gradient
        norm = torch.nn.utils.clip_grad_norm_([*shared, *head], settings.get("clip", 1.0))
        assert step.norm_before_clip == pytest.approx(norm.item(), rel=1e-4)
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 + math.cos(math.pi * index / steps)) / 2
        optimizer.step()
        optimizer.zero_grad()
    expected = trained(by_hand)
    assert any(
        not torch.equal(tensor, start) for tensor, start in zip(head, base_head(by_hand).parameters(), strict=True)
    )
    for name, tensor in trained(model).items():
        tolerance = 1e-5 if combine is projected else 1e-6
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=tolerance)


def test_pcgrad_met_a_conflict(model: JanusModel) -> None:
    """The comparison above is of both its branches: among these steps are opposed gradients."""
    done = run(model, adapter=NO_DROPOUT, steps=3, pairs_per_step=2, beta=0.2, weight_decay=0.1, strategy="pcgrad")
    products = [step.gramian.ug for step in done.steps if step.gramian is not None]
    assert len(products) == 3 and min(products) < 0


def count_packs(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> list[type]:
    seen: list[type] = []
    pack = model.pack

    def counted(pairs: Any) -> Any:
        seen.append(type(pairs[0]))
        return pack(pairs)

    monkeypatch.setattr(model, "pack", counted)
    return seen


def test_understanding_only_never_touches_generation(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head's bytes are those it started with, weight decay notwithstanding; no drawing goes through the model."""
    seen = count_packs(model, monkeypatch)
    done = run(model, strategy="understanding_only", weight_decay=0.5, steps=3)
    assert GenerationPair not in seen and len(seen) > 3
    start = dict(base_head(model).named_parameters())
    for name, parameter in model.head_parameters():
        assert torch.equal(parameter, start[name.split("modules_to_save.default.")[1]])
    for step in done.steps:
        assert step.generation is None and step.gramian is None and step.layers == ()
        assert (step.weights.understanding, step.weights.generation) == (1.0, 0.0)
    assert done.record.loss_generation is None and done.record.margin_noise_generation is None
    assert (sums_of(model, UNDERSTANDING) - base_sums(model, UNDERSTANDING)).abs().max() > 1e-3


def test_generation_only_never_touches_understanding(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round: no Gramian either, and the head trains."""
    seen = count_packs(model, monkeypatch)
    done = run(model, strategy="generation_only", understanding=None, steps=3)
    assert set(seen) == {GenerationPair}
    start = dict(base_head(model).named_parameters())
    moved = [not torch.equal(p, start[n.split("modules_to_save.default.")[1]]) for n, p in model.head_parameters()]
    assert all(moved)
    assert all(step.understanding is None and step.gramian is None for step in done.steps)
    assert done.record.loss_understanding is None and done.record.loss_generation is not None


def base_sums(model: JanusModel, pairs: list[Any]) -> Tensor:
    with model.base_only():
        return sums_of(model, pairs)


def test_the_gramian_is_that_of_the_plain_gradients(model: JanusModel) -> None:
    """Total and per layer, of the first step, over the LoRA factors alone: the head, which trains too, is left out."""
    done = run(model, adapter=NO_DROPOUT, steps=1, strategy="naive_joint")
    by_hand = make_model()
    by_hand.add_adapter(NO_DROPOUT)
    shared = by_hand.shared_parameters()
    both = oracle_losses(by_hand, done.steps[0], plain, 0.1)
    u, g = (torch.autograd.grad(loss, [p.tensor for p in shared]) for loss in both)
    gramians = [done.steps[0].gramian, *done.steps[0].layers]
    for layer, gramian in zip((None, 0, 1), gramians, strict=True):
        inside = [i for i, p in enumerate(shared) if layer is None or p.layer == layer]
        first, second = (torch.cat([t[i].flatten() for i in inside]).double() for t in (u, g))
        assert gramian is not None
        scale = float(first.norm() * second.norm())
        assert gramian.uu == pytest.approx(float(first @ first), rel=1e-4)
        assert gramian.gg == pytest.approx(float(second @ second), rel=1e-4)
        assert gramian.ug == pytest.approx(float(first @ second), abs=1e-4 * scale)


@pytest.mark.parametrize("name", ["pcgrad", "gradient_weighted", "gradient_weighted_smoothed", "length_normalized"])
def test_recorded_weights_are_the_folded_ones(model: JanusModel, tmp_path: Path, name: str) -> None:
    """A stored run is replayed: the strategy folded over the Gramians on disk gives every recorded weight and state."""
    settings = {"interval": 2} if name.startswith("gradient") else {}
    run(model, strategy=name, strategy_settings=settings, steps=6, out=tmp_path)
    strategy = make_strategy(name, **settings)
    counts = [model.count_tokens(pair) for pair in UNDERSTANDING]
    mean_tokens = sum(map(sum, counts)) / (2 * len(counts))
    state = strategy.start()
    for step in read_steps(tmp_path / "steps.jsonl"):
        seen = Observation(step=step.step, gramian=step.gramian, num_tokens=(mean_tokens, 64.0))
        state, weights = strategy.weigh(state, seen)
        assert (weights, state) == (step.weights, step.state)


def test_gradient_weighting_equalises_the_norms(model: JanusModel) -> None:
    """(1, 1) until step K; at every multiple of K w_U |g_U| = w_G |g_G| with sum 2; held in between."""
    done = run(model, strategy="gradient_weighted", strategy_settings={"interval": 3}, steps=8)
    for step in done.steps:
        weights, gramian = step.weights, step.gramian
        assert gramian is not None
        if step.step < 3:
            assert (weights.understanding, weights.generation) == (1.0, 1.0)
        elif step.step % 3 == 0:
            left = weights.understanding * gramian.norm_understanding
            assert left == pytest.approx(weights.generation * gramian.norm_generation, rel=1e-9)
            assert weights.understanding + weights.generation == pytest.approx(2)
            assert weights != done.steps[step.step - 1].weights
        else:
            assert weights == done.steps[step.step - 1].weights


def test_clip_modes_differ_only_when_the_clip_acts() -> None:
    """A clip out of reach gives one run to the last bit; one that acts gives two runs, from the same first norm."""
    made: dict[tuple[str, float], tuple[dict[str, Tensor], float]] = {}
    for mode in ("joint", "separate"):
        for clip in (1e9, 0.05):
            model = make_model()
            done = run(model, clip_mode=mode, clip=clip, strategy="naive_joint")
            made[mode, clip] = trained(model), done.steps[0].norm_before_clip
    assert same(made["joint", 1e9][0], made["separate", 1e9][0])
    assert not same(made["joint", 0.05][0], made["separate", 0.05][0])
    assert len({norm for _, norm in made.values()}) == 1


def test_a_run_is_a_function_of_its_recipe() -> None:
    """Dropout included, whatever state torch's generator is in, which it leaves as it found it."""
    made: list[tuple[list[StepRecord], dict[str, Tensor]]] = []
    for noise, seed in ((1, 0), (2, 0), (1, 7)):
        model = make_model()
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        done = run(model, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        made.append((timeless(done.steps), trained(model)))
    assert made[0][0] == made[1][0] and same(made[0][1], made[1][1])
    assert made[0][0] != made[2][0]


def test_dropout_acts_on_the_policy_in_training() -> None:
    """From the second step on the losses differ from those without; the adapter that is left drops nothing."""
    model = make_model()
    dropping, still = run(model, adapter=replace(SETTINGS, dropout=0.5)), run(make_model(), adapter=NO_DROPOUT)
    assert losses(dropping.steps[0]) == pytest.approx(losses(still.steps[0]), abs=1e-6)
    assert losses(dropping.steps[2]) != pytest.approx(losses(still.steps[2]), abs=1e-6)
    assert torch.equal(sums_of(model, GENERATION), sums_of(model, GENERATION))


def test_a_strategy_of_ones_own(model: JanusModel) -> None:
    """An object with state works, by itself and by `module:function`; weights and state are recorded."""
    done = run(model, strategy=Alternating(1.25))
    assert done.record.strategy == "Alternating"
    assert [step.weights.understanding for step in done.steps] == [1.25, 0.75, 1.25, 0.75]
    assert [step.state for step in done.steps] == [{"heavy_first": False}, {"heavy_first": True}] * 2
    model.remove_adapter()
    named = run(model, strategy="short_run:Alternating", strategy_settings={"heavy": 1.25})
    assert [step.weights for step in named.steps] == [step.weights for step in done.steps]


def test_files_of_a_run_are_records(model: JanusModel, tmp_path: Path) -> None:
    """`steps.jsonl`, `record.json` and the adapter say what `align` returned; the hook saw every step."""
    seen: list[StepRecord] = []
    done = run(model, out=tmp_path, on_step=seen.append)
    assert read_steps(tmp_path / "steps.jsonl") == done.steps == seen
    assert RunRecord(**read_json(tmp_path / "record.json")) == done.record
    assert done.record.key == read_json(tmp_path / "config.json")["key"]
    assert done.record.loss_understanding == pytest.approx(sum(losses(s)[0] for s in done.steps) / 4)
    left = trained(model)
    model.load_adapter(tmp_path / "adapter")
    assert same(trained(model), left)
    for name in ("config.json", "record.json", "steps.jsonl"):
        assert str(tmp_path) not in (tmp_path / name).read_text(encoding="utf-8")


def test_a_low_precision_body_trains_too() -> None:
    """bf16 underneath, fp32 in all that trains: small steps are not rounded away."""
    model = make_model(torch.bfloat16)
    before = None

    def remember(step: StepRecord) -> None:
        nonlocal before
        if step.step == 0:
            before = trained(model)

    done = run(model, learning_rate=1e-6, on_step=remember, strategy="naive_joint")
    assert losses(done.steps[0]) == pytest.approx((LN_2, LN_2), abs=1e-5)
    assert before is not None
    heads = [name for name in before if "generation_head" in name]
    moved = [(trained(model)[name] != before[name]).float().mean().item() for name in heads]
    assert len(moved) > 0 and min(moved) > 0.9


@pytest.mark.slow
def test_eight_pairs_a_face_are_learned_by_heart(model: JanusModel) -> None:
    """The positive control: joint training takes both losses below 0.1 with every margin above 0."""
    settings: dict[str, Any] = {"steps": 30, "learning_rate": 1e-2, "pairs_per_step": 8, "strategy": "naive_joint"}
    pairs = {"understanding": understanding_pairs(8, seed=1), "generation": generation_pairs(8, seed=1)}
    done = run(model, **settings, **pairs)
    for seen in (done.steps[-1].understanding, done.steps[-1].generation):
        assert seen is not None and seen.loss < 0.1 and seen.accuracy == 1.0
    for given in pairs.values():
        found = held_out(model, given, beta=0.1)
        assert found.accuracy == 1.0 and found.loss < 0.1


def test_held_out_margins_are_the_plain_ones(model: JanusModel) -> None:
    """Against the oracle of plain sequences, adapter and base; the loss is their mean; no pairs are refused."""
    pairs = [*understanding_pairs(3, seed=4)]
    base = torch.stack([plain_sums(model, pair).detach() for pair in pairs])
    model.add_adapter(SETTINGS)
    move_adapter(model)
    ratios = torch.stack([plain_sums(model, pair).detach() for pair in pairs]) - base
    expected = ratios[:, 0] - ratios[:, 1]
    found = held_out(model, pairs, beta=0.3)
    assert found.margins == pytest.approx(expected.tolist(), abs=1e-4)
    assert found.loss == pytest.approx(-logsigmoid(0.3 * expected).mean().item(), abs=1e-4)
    assert found.accuracy == pytest.approx((expected > 0).float().mean().item())
    with pytest.raises(ValueError, match="no held-out pairs"):
        held_out(model, [], beta=0.3)


def test_pairs_are_left_as_they_are(model: JanusModel) -> None:
    before = copy.deepcopy((UNDERSTANDING, GENERATION))
    run(model, steps=2)
    assert before == (UNDERSTANDING, GENERATION)

"""Training at size: half precision under fp32 adapters, recomputed activations, losses that break, trackers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from short_run import GENERATION, NO_DROPOUT, UNDERSTANDING, run, same, trained
from tiny_janus import SETTINGS, base_head, make_model, move_adapter

from bifrons.models.janus.model import JanusModel
from bifrons.protocol import LogProbs
from bifrons.records import StepRecord, read_json, read_steps
from bifrons.training.batch import backward, objectives, prepare
from bifrons.training.processes import ALONE
from bifrons.training.recipe import Recipe
from bifrons.training.update import Trainable


def task_gradients(model: JanusModel, recipe: Recipe) -> dict[str, torch.Tensor]:
    """Each task's gradient of the first step over all that trains, end to end in fp32."""
    trainable = Trainable.of(model)
    given: dict[Any, Any] = {"understanding": UNDERSTANDING, "generation": GENERATION}
    data = {task: prepare(model, task, pairs, None, ALONE) for task, pairs in given.items()}
    aims = objectives(model, recipe, data, 0, ALONE)
    found: dict[str, torch.Tensor] = {}
    for task, own in data.items():
        backward(model, recipe, task, own, 0, aims[task], ALONE)
        taken = trainable.take(ALONE)
        both = zip(trainable.all, [*taken.shared, *taken.head], strict=True)
        parts = [torch.zeros_like(p) if g is None else g for p, g in both]
        found[task] = torch.cat([part.flatten() for part in parts])
    return found


def test_a_bf16_base_trains_fp32_adapters() -> None:
    """Gradients are fp32 and those of the fp32 model to bf16's precision, and steps far below bf16's resolution move
    every weight that has a gradient.
    """
    recipe = Recipe(adapter=NO_DROPOUT, pairs_per_step=4)
    exact, half = make_model(), make_model(torch.bfloat16)
    for model in (exact, half):
        model.add_adapter(NO_DROPOUT)
    expected, found = task_gradients(exact, recipe), task_gradients(half, recipe)
    for task in expected:
        assert found[task].dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(expected[task], found[task], dim=0)
        assert float(cosine) > 0.99
        assert float(found[task].norm()) == pytest.approx(float(expected[task].norm()), rel=0.05)
    half.remove_adapter()
    done = run(half, adapter=NO_DROPOUT, steps=1, learning_rate=1e-6, weight_decay=0.0, strategy="naive_joint")
    assert done.record.margin_noise_understanding is not None and done.record.margin_noise_understanding < 2
    base = dict(base_head(half).named_parameters())
    for name, parameter in half.head_parameters():
        start = base[name.split("modules_to_save.default.")[1]].float()
        moved = (parameter != start).float().mean()
        assert parameter.dtype == torch.float32 and float(moved) > 0.5


def test_recomputed_activations_change_nothing(model: JanusModel) -> None:
    """To the last bit, dropout included: the second forward draws the noise of the first. And it does take place."""
    calls: list[bool] = []
    kept = make_model()
    for which in (kept, model):
        layer = which.core.language_model.layers[0].mlp
        layer.register_forward_pre_hook(lambda *_: calls.append(True))  # recomputing stops before its end
    plain = run(kept, adapter=SETTINGS, pairs_per_step=2)
    once = len(calls)
    recomputed = run(model, adapter=SETTINGS, pairs_per_step=2, gradient_checkpointing=True)
    assert len(calls) - once == once + 4 * len(plain.steps)  # two pairs a face, which dropout keeps apart
    assert same(trained(kept), trained(model))
    assert [s.gramian for s in plain.steps] == [s.gramian for s in recomputed.steps]


@pytest.mark.slow
def test_accumulation_changes_nothing_under_dropout() -> None:
    """To the last bit: every pair draws noise of its own, and gradients add up in the order of pairs. The noise of one
    pair is not that of the next.
    """
    same_pair: dict[str, Any] = {"understanding": UNDERSTANDING[:1], "generation": GENERATION[:1], "steps": 1}
    plain, cut = make_model(), make_model()
    whole = run(plain, adapter=SETTINGS, pairs_per_step=4)
    parts = run(cut, adapter=SETTINGS, pairs_per_step=4, accumulate=3)
    assert [s.gramian for s in whole.steps] == [s.gramian for s in parts.steps]
    assert same(trained(plain), trained(cut))
    once, twice = (run(make_model(), adapter=SETTINGS, pairs_per_step=n, **same_pair) for n in (1, 2))
    assert once.steps[0].gramian != twice.steps[0].gramian


def break_at(model: JanusModel, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """From its n-th differentiable forward on, the model says NaN."""
    honest, seen = model.log_probs, [0]

    def log_probs(packed: Any) -> LogProbs:
        found = honest(packed)
        seen[0] += torch.is_grad_enabled()
        return LogProbs(found.sums * float("nan"), found.counts) if seen[0] > call else found

    monkeypatch.setattr(model, "log_probs", log_probs)


def test_a_loss_that_is_not_finite_stops_the_run(
    model: JanusModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; the ids of its records are kept, and so are the checkpoint and every step before."""
    break_at(model, monkeypatch, 7)  # understanding, in the fourth step: it comes second
    folder = tmp_path / "run"
    with pytest.raises(
        ValueError, match="step 3: the understanding loss is nan; its records are named in .*failure.json"
    ):
        run(model, out=folder, steps=6, checkpoint_every=2)
    kept = read_json(folder / "failure.json")
    assert kept["step"] == 3 and len(kept["records"]["generation"]) == 1
    assert kept["records"]["generation"][0].startswith("g0-")
    steps = read_steps(folder / "steps.jsonl")
    assert [step.step for step in steps] == [0, 1, 2]
    assert (folder / "checkpoint" / "state.safetensors").is_file() and not (folder / "record.json").exists()
    for tensor in trained(model).values():
        assert bool(tensor.isfinite().all())
    again = run(make_model(), out=folder, steps=6, checkpoint_every=2)
    assert [step.step for step in again.steps] == list(range(6)), "what broke is mended, and the run goes on"


def test_without_a_folder_the_records_are_in_the_line(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    break_at(model, monkeypatch, 2)
    with pytest.raises(ValueError, match="step 1: the understanding loss is nan.*; its records are u0-., g0-."):
        run(model)


def test_a_gradient_that_is_not_finite_stops_the_run(model: JanusModel) -> None:
    """A loss can be finite where its gradient is not."""
    trainable: list[torch.nn.Parameter] = []

    def poison(step: StepRecord) -> None:
        if step.step == 1:
            trainable.extend(p.tensor for p in model.shared_parameters())
            trainable[1].register_hook(lambda gradient: gradient * float("inf"))

    with pytest.raises(ValueError, match="step 2: the norm of the gradient is (nan|inf)"):
        run(model, on_step=poison)
    assert all(bool(p.isfinite().all()) for p in trainable)


LOSSES: list[dict[str, Any]] = [
    {"loss": "simpo", "beta": 2.0, "loss_settings": {"gamma": 0.3}},
    {"loss": "ipo"},
    {"loss": "kto_pair"},
    {"loss": "dpo_length_normalized", "beta": 5.0},
    {"loss_understanding": "dpo_sft", "loss_generation": "ipo_per_token"},
]


@pytest.mark.parametrize("settings", LOSSES, ids=lambda s: s.get("loss", "one a task"))
def test_every_loss_trains(settings: dict[str, Any]) -> None:
    """The recorded loss is the loss of the names given, and ten steps lower both."""
    done = run(make_model(), adapter=NO_DROPOUT, steps=10, learning_rate=1e-3, pairs_per_step=4, clip=1e3, **settings)
    for task in ("understanding", "generation"):
        losses = [getattr(step, task).loss for step in done.steps]
        assert losses[-1] < losses[0]
    name = settings.get("loss", "")
    start = {"ipo": 25.0, "kto_pair": 0.5, "dpo_length_normalized": math.log(2)}
    if name in start:
        assert done.steps[0].understanding is not None
        assert done.steps[0].understanding.loss == pytest.approx(start[name], rel=1e-4)


PRODUCT = {"coupling": "product", "paired": True, "strategy": "naive_joint"}
NAMED = [replace(pair, id=own.id) for pair, own in zip(GENERATION, UNDERSTANDING, strict=True)]


def test_the_product_never_leaves_its_saddle(model: JanusModel) -> None:
    """A fresh adapter has margin 0 for both tasks: no gradient, whatever the strategy, and the record says so."""
    done = run(model, adapter=NO_DROPOUT, generation=NAMED, weight_decay=0.0, steps=3, **PRODUCT | {"strategy": "mgda"})
    fresh = make_model()
    fresh.add_adapter(NO_DROPOUT)
    assert same(trained(model), trained(fresh))
    for step in done.steps:
        assert step.weights.flag == "degenerate" and step.norm_before_clip == 0
        assert step.understanding is not None and step.understanding.loss == pytest.approx(math.log(2))


def test_the_product_is_backed_up_one_margin_at_a_time(model: JanusModel) -> None:
    """Away from the saddle the two task gradients add up to autograd's gradient of Eq. 6 through both graphs."""
    model.add_adapter(NO_DROPOUT)
    recipe = Recipe(adapter=NO_DROPOUT, pairs_per_step=3, beta_generation=0.2, **PRODUCT)
    given: dict[Any, Any] = {"understanding": UNDERSTANDING, "generation": NAMED}
    data = {task: prepare(model, task, pairs, None, ALONE) for task, pairs in given.items()}
    move_adapter(model)
    aims = objectives(model, recipe, data, 0, ALONE)
    trainable = Trainable.of(model)
    for task, own in data.items():
        seen = backward(model, recipe, task, own, 0, aims[task], ALONE)  # both add up in .grad
    found = torch.cat([p.grad.flatten() for p in trainable.all if p.grad is not None])
    for parameter in trainable.all:
        parameter.grad = None
    chosen = recipe.indices("understanding", 0, 4)
    margin: dict[str, torch.Tensor] = {}
    for task, own in data.items():
        ratios = model.log_probs(model.pack([own.pairs[i] for i in chosen])).sums - own.reference[chosen]  # type: ignore[list-item]
        margin[task] = ratios[:, 0] - ratios[:, 1]
    joint = -torch.nn.functional.logsigmoid(0.1 * margin["understanding"] * 0.2 * margin["generation"]).mean()
    joint.backward()
    expected = torch.cat([p.grad.flatten() for p in trainable.all if p.grad is not None])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    assert seen.loss == pytest.approx(joint.item(), rel=1e-5)


class Watched:
    """A tracker that remembers."""

    requires_logging_directory = True

    def __init__(self, name: str, logging_dir: str) -> None:
        self.said: list[tuple[int, dict[str, float]]] = []
        WATCHED.append(self)
        self.name, self.folder = name, logging_dir

    def start(self) -> None: ...

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.settings = values

    def log(self, values: dict[str, float], step: int) -> None:
        self.said.append((step, values))

    def finish(self) -> None:
        self.finished = True


WATCHED: list[Watched] = []


def test_a_tracker_is_told_every_step(model: JanusModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import tracking

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", Watched)
    done = run(model, out=tmp_path / "run", tracker="tensorboard", steps=2)
    (watched,) = WATCHED
    assert (watched.name, watched.folder, watched.finished) == (done.record.key, str(tmp_path / "run"), True)
    assert watched.settings["recipe.learning_rate"] == 1e-3 and "recipe.adapter.rank" in watched.settings
    assert [step for step, _ in watched.said] == [0, 1]
    step = done.steps[1]
    assert step.understanding is not None and step.gramian is not None
    assert watched.said[1][1]["loss/understanding"] == step.understanding.loss
    assert watched.said[1][1]["gradient/cosine"] == step.gramian.cosine
    json.dumps(watched.said, allow_nan=False)


@pytest.mark.parametrize(
    ("tracker", "folder", "message"),
    [
        ("nothing", True, "there is no tracker 'nothing'; there are tensorboard"),
        ("tensorboard", False, "needs a folder"),
    ],
)
def test_a_tracker_that_cannot_be_is_named(
    model: JanusModel, tmp_path: Path, tracker: str, folder: bool, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(model, tracker=tracker, out=tmp_path / "run" if folder else None)

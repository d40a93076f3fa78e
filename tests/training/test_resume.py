"""An interrupted run goes on as if nothing had happened, and no run is taken for another."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from short_run import Alternating, run, same, timeless, trained
from tiny_janus import generation_pairs, make_model

from bifrons.models.janus.model import JanusModel
from bifrons.records import StepRecord, read_steps

LONG: dict[str, Any] = {
    "steps": 12,
    "checkpoint_every": 5,
    "strategy": "gradient_weighted_smoothed",
    "strategy_settings": {"interval": 3},
}


class Pulled(RuntimeError):
    """The plug."""


def pull(step: StepRecord) -> None:
    if step.step == 6:
        raise Pulled


def interrupted(folder: Path, **settings: Any) -> None:
    """Stopped in its seventh step, two steps after its last checkpoint."""
    with pytest.raises(Pulled):
        run(make_model(), out=folder, on_step=pull, **(LONG | settings))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an interrupted run; copy it before use."""
    folder = tmp_path_factory.mktemp("runs") / "half"
    interrupted(folder)
    return folder


@pytest.fixture
def folder(half: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(half, tmp_path / "run"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[StepRecord], dict[str, Any], Path]:
    """The same run in one go: its steps, its tensors, its folder."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    model = make_model()
    done = run(model, out=folder, **LONG)
    return timeless(done.steps), trained(model), folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_resumed_run_is_the_run_in_one_go(folder: Path, whole: Any, model: JanusModel) -> None:
    """Steps on disk equal but for their time, and every trained tensor to the last bit: dropout, shuffles, moments,
    schedule and strategy state all go on where they were.
    """
    steps, tensors, _ = whole
    torch.manual_seed(77)  # another process, another state of torch's generator
    seen: list[StepRecord] = []
    done = run(model, out=folder, on_step=seen.append, **LONG)
    assert [step.step for step in seen] == list(range(5, 12))
    assert timeless(read_steps(folder / "steps.jsonl")) == steps == timeless(done.steps)
    assert same(trained(model), tensors)


def test_steps_after_the_checkpoint_are_dropped(folder: Path, whole: Any, model: JanusModel) -> None:
    """Lines that the checkpoint does not cover, the last one cut short by the kill, are written anew."""
    lines = (whole[2] / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    text = "\n".join([*lines[:6], lines[6][:40]])
    (folder / "steps.jsonl").write_text(text, encoding="utf-8")
    run(model, out=folder, **LONG)
    assert timeless(read_steps(folder / "steps.jsonl")) == whole[0]


def test_fewer_steps_than_the_checkpoint_are_refused(folder: Path, model: JanusModel) -> None:
    """A line that is cut short within the checkpoint is a loss, and said."""
    lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "steps.jsonl").write_text("\n".join([*lines[:4], lines[4][:-40]]), encoding="utf-8")
    with pytest.raises(ValueError, match="steps.jsonl: holds 4 steps, the checkpoint 5"):
        run(model, out=folder, **LONG)


def test_a_finished_run_is_not_run_again(whole: Any, tmp_path: Path, model: JanusModel) -> None:
    """It is read: the same steps and the same adapter, without a step being taken."""
    folder = tmp_path / "run"
    shutil.copytree(whole[2], folder)
    seen: list[StepRecord] = []
    done = run(model, out=folder, on_step=seen.append, **LONG)
    assert seen == [] and timeless(done.steps) == whole[0]
    assert same(trained(model), whole[1])


def test_without_a_checkpoint_a_run_starts_again(folder: Path, whole: Any, model: JanusModel) -> None:
    shutil.rmtree(folder / "checkpoint")
    run(model, out=folder, **LONG)
    assert timeless(read_steps(folder / "steps.jsonl")) == whole[0]
    assert same(trained(model), whole[1])


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-3},
        {"seed": 1},
        {"beta": 0.2},
        {"strategy_settings": {"interval": 4}},
        {"steps": 13},
        {"clip_mode": "separate"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_folder_of_another_run_is_refused(folder: Path, model: JanusModel, change: dict[str, Any]) -> None:
    """Nothing in it is touched, and the model is left without an adapter, ready for a new folder."""
    before = contents(folder)
    with pytest.raises(ValueError, match="run: holds another run"):
        run(model, out=folder, **(LONG | change))
    assert contents(folder) == before
    assert model.adapted is None


def test_other_pairs_are_another_run(folder: Path, model: JanusModel) -> None:
    with pytest.raises(ValueError, match="holds another run"):
        run(model, out=folder, generation=generation_pairs(4, seed=9), **LONG)


def test_other_weights_of_the_base_are_another_run(folder: Path) -> None:
    with pytest.raises(ValueError, match="holds another run"):
        run(make_model(torch.bfloat16), out=folder, **LONG)


def test_where_a_run_is_kept_is_no_part_of_it(folder: Path, whole: Any) -> None:
    """Nor are progress bars, hooks and how often it is saved: the keys are equal."""
    assert contents(folder)["config.json"] == contents(whole[2])["config.json"]


def test_the_checkpoint_of_another_run_is_refused(folder: Path, tmp_path: Path, model: JanusModel) -> None:
    other = tmp_path / "other"
    interrupted(other, seed=1)
    shutil.copy(other / "checkpoint" / "state.safetensors", folder / "checkpoint")
    with pytest.raises(ValueError, match="state.safetensors: belongs to run"):
        run(model, out=folder, **LONG)


def test_a_strategy_of_ones_own_is_resumed_by_its_settings(tmp_path: Path) -> None:
    """In another process the object has another address; its class and settings are what count."""
    settings: dict[str, Any] = {"steps": 8, "checkpoint_every": 5, "strategy_settings": {}}
    interrupted(tmp_path, strategy=Alternating(), **settings)
    with pytest.raises(ValueError, match="holds another run"):
        run(make_model(), out=tmp_path, strategy=Alternating(1.25), **settings)
    done = run(make_model(), out=tmp_path, strategy=Alternating(), **settings)
    assert [step.weights.understanding for step in done.steps] == [1.5, 0.5] * 4

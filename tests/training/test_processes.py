"""Two processes are one: the same Gramian, weights and adapter for the same global batch, replicas and shards alike."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bifrons.records import StepRecord, read_steps
from bifrons.training.processes import Processes, join

SCRIPT = Path(__file__).with_name("two_processes.py")
SETTINGS: dict[str, Any] = {
    "steps": 3,
    "pairs_per_step": 4,
    "strategy": "gradient_weighted",
    "strategy_settings": {"interval": 1},
    "checkpoint_every": 2,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, settings: dict[str, Any], count: int) -> None:
    """As a launcher does it: one process a rank, on the CPU, talking through gloo."""
    port = str(free_port())
    running: list[subprocess.Popen[str]] = []
    for rank in range(count):
        environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        if count > 1:
            environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, str(SCRIPT), str(folder), json.dumps(settings)]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    said = [process.communicate(timeout=280)[0] for process in running]
    assert all(process.returncode == 0 for process in running), "\n".join(said)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in one process, without accumulation."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    start(folder, SETTINGS, 1)
    return folder


def assert_same_run(folder: Path, alone: Path) -> None:
    """Losses, Gramians in total and per layer, weights, norms and every tensor of the adapter, to 1e-5."""
    found, expected = read_steps(folder / "steps.jsonl"), read_steps(alone / "steps.jsonl")
    assert len(found) == len(expected) == SETTINGS["steps"]
    for own, other in zip(found, expected, strict=True):
        assert numbers(own) == pytest.approx(numbers(other), rel=1e-5, abs=1e-4)  # nats of sums over 64 codes
        assert own.understanding is not None and other.understanding is not None
        assert own.understanding.records == other.understanding.records
    tensors, others = (load_file(path / "adapter" / "adapter_model.safetensors") for path in (folder, alone))
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-5, atol=1e-5)


def numbers(step: StepRecord) -> list[float]:
    assert step.understanding is not None and step.generation is not None and step.gramian is not None
    found = [step.understanding.loss, step.generation.loss, step.understanding.margin, step.generation.margin]
    found += [step.weights.understanding, step.weights.generation, step.norm_before_clip]
    for gramian in (step.gramian, *step.layers):
        cosine = gramian.cosine
        assert cosine is not None
        found += [gramian.norm_understanding, gramian.norm_generation, cosine]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "settings"),
    [
        (1, {"accumulate": 2}),
        (2, {}),
        (2, {"accumulate": 2}),
        (2, {"layout": "sharded"}),
        (2, {"layout": "sharded", "accumulate": 2, "gradient_checkpointing": True}),
    ],
    ids=["accumulated", "replicas", "replicas accumulated", "sharded", "sharded accumulated"],
)
def test_the_same_run_however_it_is_spread(count: int, settings: dict[str, Any], alone: Path, tmp_path: Path) -> None:
    """`accumulate` is part of a run (dropout's noise is by micro-batch), how many processes there are is not."""
    folder = tmp_path / "run"
    start(folder, SETTINGS | settings, count)
    assert_same_run(folder, alone)
    assert (folder / "record.json").is_file() and not list(folder.rglob("*.part"))


def test_micro_batches_cover_a_step_once() -> None:
    """Over all processes, in order, with parts that differ by one pair at most."""
    for pairs in range(6, 14):
        parts = [part for rank in range(3) for part in Processes(rank, 3).micro_batches(pairs, 2)]
        assert [number for number, _ in parts] == list(range(6))
        assert [i for _, part in parts for i in part] == list(range(pairs))
        assert max(len(part) for _, part in parts) - min(len(part) for _, part in parts) <= 1
    with pytest.raises(ValueError, match="pairs_per_step is 5; 3 processes with accumulate 2 need at least 6"):
        Processes(0, 3).micro_batches(5, 2)


def test_shares_cover_all_and_are_equally_many() -> None:
    for count in range(1, 9):
        shares = [Processes(rank, 3).shares(count) for rank in range(3)]
        assert len({len(share) for share in shares}) == 1
        assert {i for share in shares for i in share} == set(range(count))


def test_a_layout_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="layout is 'ddp'"):
        join("ddp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs several processes"):
        join("sharded")

"""Two processes are one: the same Gramian, weights and adapter for the same global batch, replicas and shards alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from same_run import assert_same_run, free_port
from short_run import same, timeless
from two_processes import KILLED

from bifrons.records import read_steps
from bifrons.training.processes import Processes, join

SCRIPT = Path(__file__).with_name("two_processes.py")
SETTINGS: dict[str, Any] = {
    "steps": 3,
    "pairs_per_step": 4,
    "strategy": "gradient_weighted",
    "strategy_settings": {"interval": 1},
    "checkpoint_every": 2,
}


def start(folder: Path, settings: dict[str, Any], count: int, code: int = 0) -> None:
    """As a launcher does it: one process a rank, on the CPU, talking through gloo. `code` is what all have to end
    with.
    """
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
    try:
        said = [process.communicate(timeout=280)[0] for process in running]
    finally:
        for process in running:
            process.kill()  # one that waits for another would wait for ever
    assert all(process.returncode == code for process in running), "\n".join(said)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """The run in one process, without accumulation, with this dropout."""

    @cache
    def made(dropout: float) -> Path:
        folder = tmp_path_factory.mktemp("alone") / "run"
        start(folder, SETTINGS | {"dropout": dropout}, 1)
        return folder

    return made


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("count", "settings"),
    [
        (1, {"accumulate": 2, "dropout": 0.0}),
        (2, {"dropout": 0.2}),
        (2, {"accumulate": 2, "dropout": 0.0}),
        (2, {"layout": "sharded", "dropout": 0.2}),
        (2, {"layout": "sharded", "dropout": 0.2, "accumulate": 2, "gradient_checkpointing": True}),
        (2, {"layout": "sharded", "dropout": 0.0, "accumulate": 2, "gradient_checkpointing": True}),
    ],
    ids=lambda value: " ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value),
)
def test_the_same_run_however_it_is_spread(
    count: int, settings: dict[str, Any], alone: Callable[[float], Path], tmp_path: Path
) -> None:
    """Neither how many processes there are, nor what each holds, nor accumulation is part of a run; its dropout is."""
    folder = tmp_path / "run"
    start(folder, SETTINGS | settings, count)
    assert_same_run(folder, alone(settings["dropout"]))
    assert (folder / "record.json").is_file() and not list(folder.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sharded_run_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """Shards of weights and moments come back from a checkpoint of whole tensors: the same adapter, to the last bit."""
    settings = SETTINGS | {"layout": "sharded", "steps": 5}
    start(tmp_path / "whole", settings, 2)
    start(tmp_path / "killed", settings | {"killed_in": 3}, 2, code=KILLED)
    assert not (tmp_path / "killed" / "adapter").exists()
    assert len(read_steps(tmp_path / "killed" / "steps.jsonl")) == 4  # the checkpoint holds two
    start(tmp_path / "killed", settings, 2)
    whole, killed = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("whole", "killed")
    )
    assert same(killed, whole)
    whole, killed = (timeless(read_steps(tmp_path / name / "steps.jsonl")) for name in ("whole", "killed"))
    assert killed == whole


def test_micro_batches_cover_a_step_once() -> None:
    """Over all processes, in order, with parts that differ by one pair at most."""
    for pairs in range(6, 14):
        parts = [part for rank in range(3) for part in Processes(rank, 3).micro_batches(pairs, 2)]
        assert len(parts) == 6
        assert [i for part in parts for i in part] == list(range(pairs))
        assert max(len(part) for part in parts) - min(len(part) for part in parts) <= 1
    with pytest.raises(ValueError, match="pairs_per_step is 5; 3 processes with accumulate 2 need at least 6"):
        Processes(0, 3).micro_batches(5, 2)
    with pytest.raises(ValueError, match="pairs_per_step is 7; sharded over 3 processes it has to be a multiple"):
        Processes(0, 3, "sharded").micro_batches(7, 2)


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

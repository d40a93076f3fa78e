"""`bifrons align` as accelerate and torchrun start it: the run of one process, by the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from same_run import assert_same_run, free_port

from bifrons.models import load
from bifrons.protocol.samples import sample_pairs
from bifrons.records import write_pairs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETTINGS = [
    *("--steps", "3", "--pairs-per-step", "4", "--learning-rate", "1e-3", "--rank", "4", "--dropout", "0.2"),
    *("--strategy", "gradient_weighted"),
]


def align(out: Path, *settings: str, launcher: Sequence[str] = ()) -> None:
    """`python -m bifrons align`, on the CPU, with the pairs beside `out`. A launcher that is stopped takes the
    processes with it that it started.
    """
    words = [*launcher, "-m", "bifrons", "align", *SETTINGS, *settings, "--out", str(out)]
    words += [f"--{task}={out.parent / task}.parquet" for task in ("understanding", "generation")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=280)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise
    assert process.returncode == 0, said
    assert said.count("adapter: ") == 1, "one process of several speaks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of the embedded model, and the run of one process on them."""
    made = tmp_path_factory.mktemp("launched")
    understanding, generation = sample_pairs(load("organism"))
    write_pairs(made / "understanding.parquet", understanding)
    write_pairs(made / "generation.parquet", generation)
    align(made / "alone")
    return made


def test_accelerate_launch(folder: Path) -> None:
    """Its launcher for several GPUs, which starts processes of the CPU where there is none; `--cpu` starts one."""
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launcher += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(free_port())]
    align(folder / "accelerate", launcher=launcher)
    assert_same_run(folder / "accelerate", folder / "alone")


def test_torchrun(folder: Path) -> None:
    """Sharded, two micro-batches in each process."""
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port())]
    sharded = ["--layout", "sharded", "--accumulate", "2", "--gradient-checkpointing"]
    align(folder / "torchrun", *sharded, launcher=launcher)
    assert_same_run(folder / "torchrun", folder / "alone")

"""Two processes that share a Show-o are one: the same figures and the same adapter as one process alone."""

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

from bifrons.records import read_steps

HERE = Path(__file__).parent
SCRIPT = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
from tiny_showo import generation_pairs
from tiny_janus import understanding_pairs
from tiny_showo import make_model
from bifrons import align
from bifrons.protocol import AdapterSettings
align(make_model(), understanding=understanding_pairs(3), generation=generation_pairs(3), out=sys.argv[2],
      adapter=AdapterSettings(rank=4, alpha=8.0, dropout=0.0), steps=2, pairs_per_step=2, learning_rate=1e-3,
      strategy="gradient_weighted", strategy_settings={"interval": 1}, progress=False, **json.loads(sys.argv[3]))
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


def start(folder: Path, settings: dict[str, Any], count: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    running: list[subprocess.Popen[str]] = []
    for rank in range(count):
        environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        if count > 1:
            environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, "-c", SCRIPT, str(HERE), str(folder), json.dumps(settings)]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    said = [process.communicate(timeout=280)[0] for process in running]
    assert all(process.returncode == 0 for process in running), "\n".join(said)


@pytest.mark.slow
def test_a_sharded_run_with_recomputed_activations_is_the_run_alone(tmp_path: Path) -> None:
    start(tmp_path / "alone", {}, 1)
    start(tmp_path / "both", {"layout": "sharded", "gradient_checkpointing": True}, 2)
    alone, both = (read_steps(tmp_path / name / "steps.jsonl") for name in ("alone", "both"))
    for one, other in zip(alone, both, strict=True):
        assert one.gramian is not None and other.gramian is not None
        assert one.generation is not None and other.generation is not None
        assert other.gramian.uu == pytest.approx(one.gramian.uu, rel=1e-4)
        assert other.gramian.gg == pytest.approx(one.gramian.gg, rel=1e-4)
        assert other.generation.margin == pytest.approx(one.generation.margin, abs=1e-4)
        assert other.generation.spread == pytest.approx(one.generation.spread, rel=1e-5)
    files = [tmp_path / name / "adapter" / "adapter_model.safetensors" for name in ("alone", "both")]
    tensors, others = map(load_file, files)
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-4, atol=1e-5)

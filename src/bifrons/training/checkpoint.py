"""A run's checkpoint: trainable tensors, moments and strategy state in one safetensors file, replaced whole or not at
all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Parameter

from bifrons.records import State
from bifrons.training.processes import put, whole

FILE = "checkpoint/state.safetensors"


def save_checkpoint(
    folder: Path,
    step: int,
    trainable: dict[str, Parameter],
    optimizer: torch.optim.Optimizer,
    state: State,
    key: str,
    *,
    writes: bool = True,
) -> None:
    """`step` is the number of steps done. All processes call this, and one `writes`: sharded tensors become whole."""
    tensors: dict[str, Tensor] = {f"weight/{name}": whole(p.detach()).cpu() for name, p in trainable.items()}
    for name, parameter in trainable.items():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}/{name}"] = whole(value.detach()).cpu()
    if not writes:
        return
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    metadata = {"step": str(step), "state": json.dumps(state), "key": key}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata=metadata)
    part.replace(path)


def load_checkpoint(
    folder: Path, trainable: dict[str, Parameter], optimizer: torch.optim.Optimizer, key: str
) -> tuple[int, State] | None:
    """Bring a run back to its last checkpoint; steps done and strategy state, or None where there is no checkpoint.

    Raises ValueError for the checkpoint of another run.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        metadata: dict[str, Any] = file.metadata()
        if metadata["key"] != key:
            raise ValueError(f"{path}: belongs to run {metadata['key']}, not to {key}")
        names = set(file.keys())
        for name, parameter in trainable.items():
            put(parameter, file.get_tensor(f"weight/{name}"))
            moments = {
                m: file.get_tensor(f"{m}/{name}") for m in ("step", "exp_avg", "exp_avg_sq") if f"{m}/{name}" in names
            }
            if moments:
                optimizer.state[parameter] = {m: moved(m, value, parameter) for m, value in moments.items()}
    return int(metadata["step"]), json.loads(metadata["state"])


def moved(moment: str, value: Tensor, parameter: Parameter) -> Tensor:
    """A moment where and as its parameter is; AdamW keeps its count of steps on the CPU."""
    if moment == "step":
        return value
    like = torch.zeros_like(parameter)
    put(like, value)
    return like.detach()

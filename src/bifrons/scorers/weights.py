"""Weights of a public network from one safetensors file."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn


def load_weights(network: nn.Module, file: Path, ignored: tuple[str, ...] = ()) -> None:
    """Put the file's weights into the network; names that begin with one of `ignored` may stand in the file.

    Raises ValueError that names the file for one that is missing, is no safetensors file, lacks a weight, holds one
    more or one of another shape.
    """
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file}: not a safetensors file ({error})") from None
    own = network.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    kept = {name: tensor.float() for name, tensor in tensors.items() if not name.startswith(ignored or ("\0",))}
    for name in own:
        if name not in kept and name not in counters:
            raise ValueError(f"{file}: lacks the weight {name}")
        if name in kept and kept[name].shape != own[name].shape:
            raise ValueError(f"{file}: {name} is {tuple(kept[name].shape)}, not {tuple(own[name].shape)}")
    for name in kept:
        if name not in own:
            raise ValueError(f"{file}: holds a weight {name}, which this network has not")
    network.load_state_dict({name: kept[name] for name in own if name in kept}, strict=False)

"""What any transformer body needs to be trained at size: recomputed activations, compiled layers and shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter


def recompute_activations(body: Any, on: bool) -> None:
    """Of the body's layers, non-reentrant, so that frozen inputs need no gradient."""
    kind = "activation" if hasattr(body, "activation_checkpointing_enable") else "gradient"  # the older name
    if on:
        getattr(body, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(body, f"{kind}_checkpointing_disable")()


def compile_layers(body: Any, on: bool) -> None:
    """Of the body, each by itself and with lengths left free, so that layers share compilations."""
    for layer in body.layers:
        if on:
            layer.compile(dynamic=True)
        else:
            layer._compiled_call_impl = None


def shard_layers(body: Any, outside: Iterable[Parameter], device: torch.device) -> None:
    """FSDP2 over the body and its layers; what lies `outside`, read beside its forward, stays whole everywhere."""
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (get_world_size(),))
    for layer in body.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(body, mesh=mesh, ignored_params=set(outside))

"""Weights with an adapter merged in, W + alpha / rank * B A on every projection and the trained image head, and weights
to files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from torch import Tensor

from bifrons.records import write_json

ADAPTER = "default"  # PEFT's name of the only adapter
SHARD = "5GB"


@torch.no_grad()
def merged_state(network: Any, dtype: torch.dtype) -> tuple[dict[str, Tensor], float]:
    """Weights under the names that a network without an adapter has, and the share of the update that rounding to
    `dtype` lost: the norm of the rounding error over the norm of the change, both over the tensors that changed.
    """
    deltas: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, LoraLayer):
            deltas[f"{name}.base_layer.weight"] = module.get_delta_weight(ADAPTER).float().cpu()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    stored = network.state_dict()
    trained = f".modules_to_save.{ADAPTER}."
    state: dict[str, Tensor] = {}
    changed = lost = 0.0
    for key, tensor in stored.items():
        if ".lora_" in key or ".original_module." in key:
            continue
        exact, base = tensor.cpu(), None
        if key in deltas:
            base, exact = exact.float(), exact.float() + deltas[key]
        elif trained in key:
            base = stored[key.replace(trained, ".original_module.")].cpu()
        kept = exact.to(dtype)
        if base is not None:
            changed += float((exact - base).double().square().sum())
            lost += float((kept.float() - exact).double().square().sum())
        state[key.replace(".base_layer.", ".").replace(trained, ".")] = kept.contiguous()
    return state, (lost / changed) ** 0.5 if changed else 0.0


def write_weights(state: dict[str, Tensor], folder: Path) -> None:
    """One safetensors file, or shards with an index."""
    split = split_torch_state_dict_into_shards(
        state, filename_pattern="model{suffix}.safetensors", max_shard_size=SHARD
    )
    for file, names in split.filename_to_tensors.items():
        save_file({name: state[name] for name in names}, folder / file, metadata={"format": "pt"})
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", index)

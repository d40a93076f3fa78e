"""Rewarded soup (Rame et al. 2023): interpolate what two adapters do, not their factors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bifrons.records import read_json, write_json

CARD = "bifrons.json"
SAME = ("base_model_name_or_path", "lora_alpha", "r", "target_modules", "peft_type")
NOT_PLAIN = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern")  # with these, no rank doubles exactly


def soup(understanding: Path, generation: Path, weight: float, out: Path) -> None:
    """Write the adapter (1 - weight) * understanding + weight * generation to `out`, exact in the effective update B A.

    The factors are concatenated, A with A and scaled B with scaled B, so the rank doubles and no cross terms arise; the
    head's weights are interpolated. Raises ValueError for a weight outside [0, 1] and for adapters that do not belong
    together.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"the soup's weight is {weight}; it has to be in [0, 1]")
    configs = [read_adapter_config(folder) for folder in (understanding, generation)]
    cards = [read_json(folder / CARD) for folder in (understanding, generation) if (folder / CARD).is_file()]
    if len({card["fingerprint"] for card in cards}) > 1:
        raise ValueError(f"{understanding} and {generation} belong to bases of different weights")
    for key in SAME:
        values = [sorted(c[key]) if isinstance(c.get(key), list) else c.get(key) for c in configs]
        if values[0] != values[1]:
            raise ValueError(f"{understanding} and {generation} differ in {key}: {values[0]} and {values[1]}")
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (understanding, generation))
    if set(first) != set(second):
        raise ValueError(f"{understanding} and {generation} hold different tensors")
    merged: dict[str, Tensor] = {}
    for name, tensor in first.items():
        other = second[name]
        if ".lora_A." in name:
            merged[name] = torch.cat([tensor, other], dim=0)
        elif ".lora_B." in name:
            merged[name] = torch.cat([(1 - weight) * tensor, weight * other], dim=1)
        else:
            merged[name] = torch.lerp(tensor, other, weight)
    out.mkdir(parents=True, exist_ok=True)
    save_file(merged, out / "adapter_model.safetensors", metadata={"format": "pt"})
    doubled = {"r": 2 * configs[0]["r"], "lora_alpha": 2 * configs[0]["lora_alpha"]}
    write_json(out / "adapter_config.json", configs[0] | doubled)
    if cards:
        write_json(out / CARD, cards[0])


def read_adapter_config(folder: Path) -> dict[str, Any]:
    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise ValueError(f"{folder}: holds no adapter (adapter_config.json and adapter_model.safetensors)")
    config = read_json(folder / "adapter_config.json")
    for option in NOT_PLAIN:
        if config.get(option):
            raise ValueError(f"{folder}: is no plain LoRA ({option}), so it cannot be interpolated exactly")
    return config

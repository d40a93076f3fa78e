"""The network with its adapter merged in as a full checkpoint in the Hugging Face layout."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from bifrons.models.merging import merged_state, write_weights


def save_merged(network: Any, processor: Any, folder: Path, dtype: torch.dtype) -> float:
    """Write a full checkpoint in the Hugging Face layout; what rounding lost, as `merged_state` says."""
    state, lost = merged_state(network, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(state, folder)
    config = copy.deepcopy(network.config)
    config.tie_word_embeddings = False
    config.architectures = ["JanusForConditionalGeneration"]
    config.dtype = dtype
    config.save_pretrained(folder)
    network.generation_config.save_pretrained(folder)
    processor.save_pretrained(folder)
    return lost

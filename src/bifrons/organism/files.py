"""A network and its processor as a folder in the Hugging Face layout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch


def export(network: Any, processor: Any, folder: Path) -> None:
    """Write a network in bfloat16 with its processor, in the Hugging Face layout."""
    shutil.rmtree(folder, ignore_errors=True)
    network.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)

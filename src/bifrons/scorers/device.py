"""Where a scorer's network runs: a public one on the GPU where there is one. Those of scenes are too small to gain."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn


def fastest() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def full_precision() -> AbstractContextManager[Any]:
    """Convolutions in fp32, which cuDNN rounds to TF32 unless told: a score is the same on a CPU and on a GPU."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)

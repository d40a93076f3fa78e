"""Where a scorer's network runs: a public one on the GPU where there is one. Those of scenes are too small to gain."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn


def fastest() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def full_precision(network: nn.Module) -> AbstractContextManager[Any]:
    """On a GPU, convolutions in fp32, which cuDNN rounds to TF32 unless told; its other settings stay."""
    if device_of(network).type != "cuda":
        return nullcontext()
    own: Any = torch.backends.cudnn
    kept = {"enabled": own.enabled, "benchmark": own.benchmark, "deterministic": own.deterministic}
    return own.flags(**kept, allow_tf32=False)

"""Freed memory that the C library keeps, given back before it is needed elsewhere.

Between the forward of a large model on a CPU and its backward, glibc holds as much freed heap as the activations take,
in pieces that the backward's tensors do not fit into.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

LARGE = 2 * 1024**3  # bytes resident: a smaller process would wait longer for its pages than it saves


def give_back_heap(device: torch.device) -> None:
    """Nothing where the tensors are not on the CPU, in a small process, and where the C library is not glibc."""
    if device.type != "cpu":
        return
    trim = malloc_trim()
    if trim is not None and resident() > LARGE:
        trim(0)


@cache
def malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

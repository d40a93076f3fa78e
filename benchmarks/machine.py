"""What the numbers were measured on, and the two limits that they are held against."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("bifrons", "torch", "transformers", "peft", "trl", "accelerate", "numpy")
PROBE_BYTES = 512 * 1024**2


def machine(device: str) -> dict[str, Any]:
    """Versions, hardware and load: what stands in every results file."""
    known: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES if find_spec(name)},
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": list(os.getloadavg()),
        "device": device,
    }
    if device.startswith("cuda"):
        facts = torch.cuda.get_device_properties(device)
        known |= {"gpu": facts.name, "gpu_memory": facts.total_memory, "cuda": torch.version.cuda}
    return known


def processor_name() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def peak_memory(device: str) -> float:
    """Bytes: on a GPU the most that tensors took there, else the largest resident set of this process. Of this image
    only: what `getrusage` says includes the parent that a child was forked from.
    """
    if device.startswith("cuda"):
        return float(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return 1024.0 * int(line.split()[1])
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def matrix_rate(dtype: torch.dtype, device: str = "cpu", *, rows: int = 1024, width: int = 2048) -> float:
    """Floating-point operations a second of a square product of these sizes, 2 a multiply-add: the best of some."""
    if device.startswith("cuda"):
        rows = width = 8192
    a = torch.randn(rows, width, device=device).to(dtype)
    b = torch.randn(width, width, device=device).to(dtype)
    return 2 * rows * width * width / best(lambda: a @ b, device)


def bandwidth(device: str = "cpu") -> float:
    """Bytes a second of reading memory that no cache holds: a sum over a large array, the best of some."""
    data = torch.ones(PROBE_BYTES // 4, device=device)
    return PROBE_BYTES / best(data.sum, device)


def best(work: Callable[[], Any], device: str, repeats: int = 7) -> float:
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    taken: list[float] = []
    for _ in range(repeats):
        wait()
        began = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - began)
    return min(taken)


def limits(device: str) -> dict[str, float]:
    """The measured limits of this machine: matrix rate in fp32 and bf16, memory bandwidth."""
    return {
        "float32": matrix_rate(torch.float32, device),
        "bfloat16": matrix_rate(torch.bfloat16, device),
        "bandwidth": bandwidth(device),
    }

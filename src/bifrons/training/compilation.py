"""torch.compile for the body's layers while they train: fewer kernels and less Python, for a wait at the start."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bifrons.protocol import UnifiedModel
from bifrons.training.processes import Processes

AS_EAGER = {
    "fallback_random": True,  # dropout's noise is torch's own
    "emulate_precision_casts": True,  # what torch rounds to 16 bits between two operations, a fused kernel does too
}
# Of one layer's code: tasks, one row or several, a first layer or a later one, base or adapter, each rank and dtype.
MOST_COMPILED = 64


def check_compilation(processes: Processes) -> None:
    """Raises ValueError where layers cannot be compiled: for shards, and where what compiles is not installed."""
    if processes.layout == "sharded":
        raise ValueError("compile: layers that are cut into shards (layout 'sharded') cannot be compiled")
    on_gpu = torch.cuda.is_available() if processes.device is None else processes.device.type == "cuda"
    if on_gpu:
        from torch.utils._triton import has_triton

        if not has_triton():
            raise ValueError("compile: Triton is not installed, or does not know this GPU")
    elif not any(map(shutil.which, ("g++", "clang++"))):
        raise ValueError("compile: on a CPU this needs a C++ compiler (g++ or clang++), and none was found")


@contextmanager
def compiled_layers(model: UnifiedModel, on: bool) -> Iterator[None]:
    """Within this block the body's layers are compiled where `on`, with eager noise and casts: the order of sums is not
    eager's, nor are all functions of a kernel.
    """
    if not on:
        yield
        return
    with quiet():
        from torch._dynamo import config as dynamo
        from torch._inductor import config as inductor

        model.compile_layers(True)
        try:
            with dynamo.patch({"recompile_limit": MOST_COMPILED}), inductor.patch(AS_EAGER):
                yield
        finally:
            model.compile_layers(False)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch's compiler warns of and does itself (calling what is deprecated, gradients of no leaf), and
    without its advice to take TF32.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf", UserWarning)
        warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
        yield

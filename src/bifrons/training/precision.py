"""How torch computes on a GPU beside a body in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bifrons.protocol import UnifiedModel


@contextmanager
def settings_for(model: UnifiedModel, device: torch.device) -> Iterator[None]:
    """Two settings of torch's while a model in bfloat16 trains on a GPU; elsewhere nothing changes.

    fp32 products are TF32's: the heads' inputs have 8 bits of a mantissa and lose nothing in TF32's 11, and sums stay
    fp32. Attention is not cuDNN's, which prepares anew for every length, and the lengths of pairs differ.
    """
    if device.type != "cuda" or model.identity.facts.get("dtype") != "bfloat16":
        yield
        return
    precision, prepared = torch.get_float32_matmul_precision(), torch.backends.cuda.cudnn_sdp_enabled()
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cuda.enable_cudnn_sdp(prepared)

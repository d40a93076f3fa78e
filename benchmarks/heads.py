"""Both heads in the body's dtype: what `generate` and the public code run, while Bifrons keeps them in fp32."""

from __future__ import annotations

import torch
from torch import Tensor

from bifrons.models.janus.model import JanusModel


class Lowered:
    """Within this block the model's heads have the body's dtype; in fp32 nothing changes."""

    def __init__(self, model: JanusModel, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype
        head = model.core.generation_head
        self.own = {name: p.data for name, p in head.named_parameters()}
        self.low = {name: data.to(dtype) for name, data in self.own.items()}
        self.text = model.network.lm_head.weight.data
        self.low_text = self.text.to(dtype)

    def __enter__(self) -> None:
        self.put(self.low, self.low_text)

    def __exit__(self, *_: object) -> None:
        self.put(self.own, self.text)

    def put(self, tensors: dict[str, Tensor], text: Tensor) -> None:
        for name, parameter in self.model.core.generation_head.named_parameters():
            parameter.data = tensors[name]
        self.model.network.lm_head.weight.data = text

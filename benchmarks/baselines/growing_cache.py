"""The loop of the original Janus code and of GRPO trainers after it: one step a code, eager, with a cache that grows.

Conditional and unconditional rows stand side by side and both are read in full; the cache is concatenated at every
step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


@torch.inference_mode()
def draw(
    network: Any, prompt_ids: list[list[int]], unconditional: list[list[int]], pad_id: int, guidance: float, length: int
) -> list[tuple[int, ...]]:
    """Greedy codes. `unconditional` are the prompts with pads between their first token and the image's start."""
    rows = prompt_ids + unconditional
    longest = max(map(len, rows))
    ids = torch.tensor([[pad_id] * (longest - len(row)) + row for row in rows], device=network.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=network.device)
    embeds: Tensor = network.get_input_embeddings()(ids)
    cache: Any = None
    codes: list[Tensor] = []
    for _ in range(length):
        positions = (mask.cumsum(dim=1) - 1).clamp_min(0)[:, -embeds.shape[1] :]
        out = network.model.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        cache = out.past_key_values
        conditional, free = network.model.generation_head(out.last_hidden_state[:, -1]).chunk(2)
        code = (free + guidance * (conditional - free)).argmax(dim=-1)
        codes.append(code)
        embeds = network.prepare_embeddings_for_image_generation(code.repeat(2)[:, None])
        mask = torch.cat((mask, mask.new_ones(len(rows), 1)), dim=1)
    return [tuple(row) for row in torch.stack(codes, dim=1).tolist()]

"""Token by token through the language model, with buffers that are made once: what answering and drawing are built on.

The loop walks transformers' own Llama modules (LoRA wrappers included), so it is one implementation with training; it
only replaces the growing cache, the mask building and the bookkeeping of `generate`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Decoder:
    """A batch of rows of the language model with a static key-value cache.

    Shapes: B rows, L prompt length, D width, H heads, K key-value heads, E head width, T room for tokens.
    """

    def __init__(self, language_model: Any, rows: int, room: int, dtype: torch.dtype, device: torch.device) -> None:
        config = language_model.config
        heads: int = config.num_key_value_heads
        width: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.model = language_model
        self.groups: int = config.num_attention_heads // heads
        shape = (len(language_model.layers), rows, heads, room, width)
        self.keys_LBKTE = torch.empty(shape, dtype=dtype, device=device)
        self.values_LBKTE = torch.empty(shape, dtype=dtype, device=device)
        self.visible_BT = torch.zeros(rows, room, dtype=torch.bool, device=device)
        self.lengths_B = torch.zeros(rows, dtype=torch.long, device=device)
        self.filled = 0

    def prefill(self, embeds_BLD: Tensor, valid_BL: Tensor) -> Tensor:
        """Read the prompts, padded on the left; the hidden state after each row's last token, [B, D]."""
        length = embeds_BLD.shape[1]
        positions = (valid_BL.long().cumsum(dim=1) - 1).clamp_min(0)
        self.visible_BT[:, :length] = valid_BL
        causal = torch.ones(length, length, dtype=torch.bool, device=embeds_BLD.device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=embeds_BLD.device)
        mask = (causal & valid_BL[:, None, :]) | itself
        hidden = self.forward(embeds_BLD, positions, 0, None if bool(valid_BL.all()) else mask[:, None], causal=True)
        self.lengths_B = valid_BL.sum(dim=1)
        self.filled = length
        return hidden[:, -1]

    def step(self, embeds_BD: Tensor) -> Tensor:
        """Append one token to each row; the hidden state after it, [B, D]."""
        self.visible_BT[:, self.filled] = True
        mask = self.visible_BT[:, None, None, : self.filled + 1]
        hidden = self.forward(embeds_BD[:, None], self.lengths_B[:, None], self.filled, mask, causal=False)
        self.lengths_B = self.lengths_B + 1
        self.filled += 1
        return hidden[:, 0]

    def forward(self, hidden: Tensor, positions: Tensor, start: int, mask: Tensor | None, *, causal: bool) -> Tensor:
        rows, length, _ = hidden.shape
        stop = start + length
        cosine, sine = self.model.rotary_emb(hidden, positions)
        cosine, sine = cosine[:, None], sine[:, None]
        for index, layer in enumerate(self.model.layers):
            attention = layer.self_attn
            normed = layer.input_layernorm(hidden)
            query = attention.q_proj(normed).view(rows, length, -1, self.keys_LBKTE.shape[-1]).transpose(1, 2)
            key = attention.k_proj(normed).view(rows, length, -1, self.keys_LBKTE.shape[-1]).transpose(1, 2)
            value = attention.v_proj(normed).view(rows, length, -1, self.keys_LBKTE.shape[-1]).transpose(1, 2)
            query = rotate(query, cosine, sine)
            self.keys_LBKTE[index, :, :, start:stop] = rotate(key, cosine, sine)
            self.values_LBKTE[index, :, :, start:stop] = value
            mixed = scaled_dot_product_attention(
                query,
                self.keys_LBKTE[index, :, :, :stop],
                self.values_LBKTE[index, :, :, :stop],
                attn_mask=mask,
                is_causal=causal and mask is None,
                enable_gqa=self.groups > 1,
            )
            hidden = hidden + attention.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return self.model.norm(hidden)


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) in Llama's half-split layout."""
    first, second = states.chunk(2, dim=-1)
    return states * cosine + torch.cat((-second, first), dim=-1) * sine

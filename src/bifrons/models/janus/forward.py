"""The language model's forward for positions that are asked for.

Packed rows ask for few: an image and a question are read so that the answers can see them, and nothing is predicted in
them. Their keys and values are needed in every layer; their queries and their MLP in the last layer are not.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from bifrons.models.janus.packing import Packed

MOST_ASKED = 0.5  # share of the positions: where more are asked for, leaving the others out gains nothing


def hidden_at(language_model: Any, embeds_RLD: Tensor, packed: Packed) -> Tensor:
    """The hidden states that predict the response tokens, [predicted tokens, width]. Differentiable."""
    device = embeds_RLD.device
    source, positions_RL = packed.source.to(device), packed.positions.to(device)
    asked, of_asked = source.unique(return_inverse=True)  # chosen and rejected start at one position
    if packed.mask is None or len(asked) > MOST_ASKED * positions_RL.numel():
        hidden = language_model(
            inputs_embeds=embeds_RLD,
            attention_mask=None if packed.mask is None else packed.mask.to(device),
            position_ids=positions_RL,
            use_cache=False,
        ).last_hidden_state
        return hidden.flatten(0, 1)[source]
    rows = embeds_RLD, packed.mask.to(device), positions_RL, asked
    return through(language_model, packed_rows_at, *rows)[of_asked]


def packed_rows_at(
    language_model: Any, embeds_RLD: Tensor, mask_R1LL: Tensor, positions_RL: Tensor, asked: Tensor
) -> Tensor:
    """The normed output at `asked` (flat positions, sorted), [asked, width]."""
    rotary = language_model.rotary_emb(embeds_RLD, position_ids=positions_RL)
    hidden = embeds_RLD
    for layer in language_model.layers[:-1]:
        hidden = layer(
            hidden, attention_mask=mask_R1LL, position_ids=positions_RL, position_embeddings=rotary, use_cache=False
        )
    return language_model.norm(through(language_model.layers[-1], last_layer_at, hidden, mask_R1LL, rotary, asked))


def last_layer_at(
    layer: Any, hidden_RLD: Tensor, mask_R1LL: Tensor, rotary: tuple[Tensor, Tensor], asked: Tensor
) -> Tensor:
    """The layer's output at `asked` (flat positions, sorted), [asked, width]; rows with fewer of them are padded."""
    attention = layer.self_attn
    rows, length, _ = hidden_RLD.shape
    row, column = asked // length, asked % length
    counts = row.bincount(minlength=rows)
    place = torch.arange(len(asked), device=asked.device) - (counts.cumsum(0) - counts)[row]
    columns_RS = asked.new_zeros(rows, int(counts.max()))  # padding asks for a row's first position
    columns_RS[row, place] = column
    each = torch.arange(rows, device=asked.device)[:, None]

    normed = layer.input_layernorm(hidden_RLD)
    cosine, sine = rotary
    width: int = attention.head_dim
    query = turned(
        heads(attention.q_proj(normed[each, columns_RS]), width), cosine[each, columns_RS], sine[each, columns_RS]
    )
    key = turned(heads(attention.k_proj(normed), width), cosine, sine)
    mixed = scaled_dot_product_attention(
        query,
        key,
        heads(attention.v_proj(normed), width),
        attn_mask=mask_R1LL[each, 0, columns_RS][:, None],
        scale=attention.scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    states = mixed.transpose(1, 2).flatten(2)[row, place]
    states = hidden_RLD[row, column] + attention.o_proj(states)
    return states + layer.mlp(layer.post_attention_layernorm(states))


def through(module: Any, function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """`function(module, ...)`, as the module's own method where it has it as one."""
    return getattr(module, function.__name__, MethodType(function, module))(*arguments)


def register_with_shards(language_model: Any) -> None:
    """FSDP2 gathers weights where a module's forward is called, and where a method is that it was told of: so sharded
    and whole models compute the same positions, and draw the same noise for them.
    """
    from torch.distributed.fsdp import register_fsdp_forward_method

    for module, function in ((language_model, packed_rows_at), (language_model.layers[-1], last_layer_at)):
        setattr(module, function.__name__, MethodType(function, module))
        register_fsdp_forward_method(module, function.__name__)


def heads(states_RLD: Tensor, width: int) -> Tensor:
    """[rows, heads, length, head width]"""
    return states_RLD.unflatten(-1, (-1, width)).transpose(1, 2)


def turned(states_RHLE: Tensor, cosine_RLE: Tensor, sine_RLE: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021), Llama's half-split layout, with the roundings of training."""
    first, second = states_RHLE.chunk(2, dim=-1)
    swapped = torch.cat((-second, first), dim=-1)
    return states_RHLE * cosine_RLE[:, None] + swapped * sine_RLE[:, None]

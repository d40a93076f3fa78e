"""Token by token through the language model, with buffers that are made once: what answering and drawing are built on.

The weights are those of transformers' own Llama modules, LoRA included; what is replaced is the growing cache, the mask
building and the bookkeeping of `generate`. Parity with transformers' own forward is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from bifrons.models.janus.projections import Maps

# B rows, L new tokens, T room for tokens, D width, H heads, K key-value heads, E head width


class Layer:
    """One layer of the language model, its maps laid out for decoding."""

    def __init__(self, layer: Any, rows: int) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.before_attention = normaliser(layer.input_layernorm)
        self.read = Maps(attention.q_proj, attention.k_proj, attention.v_proj, rows=rows)
        self.write = Maps(attention.o_proj, rows=rows)
        self.before_mlp = normaliser(layer.post_attention_layernorm)
        self.widen = Maps(mlp.gate_proj, mlp.up_proj, rows=rows)
        self.activation = mlp.act_fn
        self.narrow = Maps(mlp.down_proj, rows=rows)

    def mlp(self, states: Tensor) -> Tensor:
        gate, up = self.widen.apart(self.before_mlp(states))
        return self.narrow.together(self.activation(gate) * up)


class Body:
    """The language model as a decoder walks it: made once a call, while its weights stand still. `rows` are those that
    most steps will have.
    """

    def __init__(self, language_model: Any, rows: int) -> None:
        config = language_model.config
        self.model = language_model
        self.heads: int = config.num_attention_heads
        self.key_heads: int = config.num_key_value_heads
        self.width: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.embed = language_model.embed_tokens
        self.layers = [Layer(layer, rows) for layer in language_model.layers]
        self.norm = normaliser(language_model.norm)
        weight = language_model.embed_tokens.weight
        self.dtype: torch.dtype = weight.dtype
        self.device: torch.device = weight.device

    def rotary(self, room: int) -> tuple[Tensor, Tensor]:
        """Cosine and signed sine of every position, [room, E] each."""
        nothing = torch.empty(0, dtype=self.dtype, device=self.device)
        cosine, sine = self.model.rotary_emb(nothing, torch.arange(room, device=self.device)[None])
        sign = torch.ones(self.width, dtype=self.dtype, device=self.device)
        sign[: self.width // 2] = -1
        return cosine[0], sine[0] * sign


def normaliser(module: Any) -> Callable[[Tensor], Tensor]:
    """RMSNorm (Zhang and Sennrich 2019): the module itself below fp32, where its roundings count, and on a GPU; in fp32
    five calls instead of torch's ten, since calls are what a small network spends its time on.
    """
    weight = module.weight
    if weight.dtype != torch.float32 or weight.is_cuda:
        return module
    width = weight.shape[0]
    scale = weight * width**0.5
    floor = weight.new_full((), width * float(module.variance_epsilon))

    def normalised(states: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        return states * torch.addcmul(floor, length, length).rsqrt_() * scale

    return normalised


class Decoder:
    """A batch of rows of the language model with a static key-value cache, of which only the filled part is read."""

    def __init__(self, body: Body, rows: int, room: int, *, clean: bool = False) -> None:
        self.body = body
        self.rows, self.room, self.filled = rows, room, 0
        shape = (rows, body.key_heads, room, body.width)
        options: dict[str, Any] = {"dtype": body.dtype, "device": body.device}
        buffer = torch.zeros if clean else torch.empty
        self.keys_BKTE = [buffer(shape, **options) for _ in body.layers]
        self.values_BKTE = [buffer(shape, **options) for _ in body.layers]
        self.cosine_TE, self.sine_TE = body.rotary(room)
        self.padded = False  # with no padding in any row there is no mask, and every row is as long as the cache
        self.hidden_BT = torch.zeros(rows, room, dtype=torch.bool, device=body.device)
        self.bias_BT = torch.zeros(rows, room, **options)
        self.lengths_B = torch.zeros(rows, dtype=torch.long, device=body.device)

    def read(self, embeds_BLD: Tensor, valid_BL: Tensor, *, goes_on: bool = False) -> Tensor:
        """Append tokens to each row, padded on the left; the hidden state after each row's last one, [B, D].

        Where reading `goes_on`, nothing is predicted yet and no state is made, [B, 0, D].
        """
        start, stop = self.filled, self.filled + embeds_BLD.shape[1]
        if not bool(valid_BL.all()):
            self.padded = True
        self.hidden_BT[:, start:stop] = ~valid_BL
        self.bias_BT.masked_fill_(self.hidden_BT, float("-inf"))
        places = (self.lengths_B[:, None] + valid_BL.long().cumsum(dim=1) - 1).clamp_min(0)
        mask = None
        if self.padded or start:
            seen = torch.ones(stop, stop, dtype=torch.bool, device=valid_BL.device).tril()[start:]
            itself = torch.eye(stop, dtype=torch.bool, device=valid_BL.device)[start:]  # padding: else a row of no keys
            mask = ((seen & ~self.hidden_BT[:, None, :stop]) | itself)[:, None]
        cosine, sine = self.cosine_TE[places][:, :, None], self.sine_TE[places][:, :, None]
        self.filled = stop
        with attention_of_any_length(self.body.device):
            states = self.forward(embeds_BLD, cosine, sine, mask, slice(start, stop), stop, asked=0 if goes_on else 1)
        self.lengths_B = self.lengths_B + valid_BL.sum(dim=1)
        return states if goes_on else states[:, 0]

    def step(self, embeds_BD: Tensor) -> Tensor:
        """Append one token to each row; the hidden state after it, [B, D]."""
        if self.padded:
            place = self.lengths_B
            cosine, sine = self.cosine_TE[place][:, None, None], self.sine_TE[place][:, None, None]
            mask = self.bias_BT[:, None, None, : self.filled + 1]
        else:
            cosine, sine, mask = self.cosine_TE[self.filled], self.sine_TE[self.filled], None
        start, self.filled = self.filled, self.filled + 1
        states = self.forward(embeds_BD[:, None], cosine, sine, mask, slice(start, start + 1), start + 1, asked=1)
        self.lengths_B += 1
        return states[:, 0]

    def step_at(self, embeds_BD: Tensor, place_1: Tensor, reach: int) -> Tensor:
        """`step` at a place that a tensor says, [1], so that the same calls serve any place before `reach`.

        For a decoder that is `clean`, after `hide_unread`.
        """
        self.bias_BT.index_fill_(1, place_1, 0.0)
        cosine, sine = self.cosine_TE[self.lengths_B], self.sine_TE[self.lengths_B]
        mask = self.bias_BT[:, None, None, :reach]
        states = self.forward(
            embeds_BD[:, None], cosine[:, None, None], sine[:, None, None], mask, place_1, reach, asked=1
        )
        self.lengths_B += 1
        return states[:, 0]

    def hide_unread(self) -> None:
        self.bias_BT[:, self.filled :] = float("-inf")

    def forward(
        self,
        states_BLD: Tensor,
        cosine: Tensor,
        sine: Tensor,
        mask: Tensor | None,
        place: slice | Tensor,
        reach: int,
        *,
        asked: int,
    ) -> Tensor:
        """The states of the last `asked` tokens, 0 or 1: of the others the last layer's keys and values are enough.

        Keys and values are written at `place`, and the first `reach` are read.
        """
        body = self.body
        rows, length, _ = states_BLD.shape
        turned = body.heads + body.key_heads
        for layer, keys, values in zip(body.layers, self.keys_BKTE, self.values_BKTE, strict=True):
            mixed = layer.read.together(layer.before_attention(states_BLD)).view(rows, length, -1, body.width)
            queries_keys = rotate(mixed[:, :, :turned], cosine, sine).transpose(1, 2)
            queries = queries_keys[:, : body.heads]
            put(keys, place, queries_keys[:, body.heads :])
            put(values, place, mixed[:, :, turned:].transpose(1, 2))
            if layer is body.layers[-1] and length > asked:
                states_BLD, queries = states_BLD[:, length - asked :], queries[:, :, length - asked :]
                mask = None if mask is None else mask[:, :, length - asked :]
                if not asked:
                    return states_BLD
            attended = scaled_dot_product_attention(
                queries,
                keys[:, :, :reach],
                values[:, :, :reach],
                attn_mask=mask,
                is_causal=queries.shape[2] > 1 and mask is None,
                enable_gqa=body.heads != body.key_heads,
            )
            states_BLD = states_BLD + layer.write.together(attended.transpose(1, 2).flatten(2))
            states_BLD = states_BLD + layer.mlp(states_BLD)
        return body.norm(states_BLD)

    def continued(self, rows: Tensor, room: int) -> Decoder:
        """A decoder whose rows begin with what these rows (indices, repeats allowed) have read: one reading of a prompt
        serves all its samples, and rows that are not named leave.
        """
        made = Decoder(self.body, len(rows), room)
        made.take(self, rows)
        return made

    def take(self, other: Decoder, rows: Tensor) -> None:
        """Begin with what these rows of another decoder have read."""
        filled = self.filled = other.filled
        for into, of in zip((*self.keys_BKTE, *self.values_BKTE), (*other.keys_BKTE, *other.values_BKTE), strict=True):
            torch.index_select(of[:, :, :filled], 0, rows, out=into[:, :, :filled])
        self.padded = other.padded
        self.hidden_BT[:, :filled] = other.hidden_BT[rows, :filled]
        self.bias_BT[:, :filled] = other.bias_BT[rows, :filled]
        self.lengths_B.copy_(other.lengths_B[rows])


def attention_of_any_length(device: torch.device) -> AbstractContextManager[Any]:
    """Without cuDNN's, which prepares for some tenths of a second for every length that it has not seen."""
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


def put(cache_BKTE: Tensor, place: slice | Tensor, new_BKLE: Tensor) -> None:
    if isinstance(place, slice):
        cache_BKTE[:, :, place] = new_BKLE
    else:
        cache_BKTE.index_copy_(2, place, new_BKLE)


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) in Llama's half-split layout; the first half of `sine` is negated."""
    return torch.addcmul(states * cosine, states.roll(states.shape[-1] // 2, dims=-1), sine)

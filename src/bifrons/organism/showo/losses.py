"""What Show-o's body learns from: the likelihood of answers to pictures in codes, and of codes that a mask hides."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AttentionInterface

from bifrons.models.showo.estimator import mask_size
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.packing import PADDING, PREFIX, block_mask, code_columns, drawing_rows
from bifrons.organism.body import PROMPT_DROPOUT, Asked


def hidden_states(model: ShowoModel, ids_RL: Tensor, positions_RL: Tensor, mask_R1LL: Tensor) -> Tensor:
    config: Any = model.network.showo.config
    usual, config._attn_implementation = config._attn_implementation, DENSE
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model.network.hidden(ids_RL, positions_RL, mask_R1LL)
    finally:
        config._attn_implementation = usual


def dense_attention(
    _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """All scores written out in bfloat16: at a hundred tokens a row a quarter of the time of PyTorch's fused attention,
    whose backward is slow in bfloat16 on the CPU.
    """
    rows, heads, length, _width = query.shape
    with torch.autocast("cpu", enabled=False):
        query, key, value = (states.bfloat16().flatten(0, 1) for states in (query, key, value))
        unseen = torch.zeros(attention_mask.shape, dtype=query.dtype).masked_fill_(~attention_mask, -torch.inf)
        unseen = unseen.expand(-1, heads, -1, -1).reshape(-1, length, length)
        scores = torch.baddbmm(unseen, query, key.transpose(1, 2), alpha=scaling)
        made = scores.softmax(dim=-1) @ value
    return made.view(rows, heads, length, -1).transpose(1, 2), None


DENSE = "bifrons_dense"
AttentionInterface.register(DENSE, dense_attention)


def understanding_loss(model: ShowoModel, images: Tensor, asked: list[Asked]) -> Tensor:
    """One row a picture: [read][image], then question and answer of each lesson, which see the picture and themselves
    and begin at the same position. The loss is of the answers.
    """
    ids, positions, mask, targets = understanding_rows(model, model.network.tokenizer.encode(images), asked)
    hidden = hidden_states(model, ids, positions, mask)[targets >= 0]
    return cross_entropy(model.network.word_logits(hidden), targets[targets >= 0])


def understanding_rows(model: ShowoModel, codes: Tensor, asked: list[Asked]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids, positions, mask and the next token where it is one of an answer (else -1)."""
    layout, prompts = model.layout, model.prompts
    rows: list[list[tuple[int, int, int, int]]] = []  # id, position, segment, target
    for picture, lessons in zip(codes.tolist(), asked, strict=True):
        prefix = [layout.read, *layout.image(picture)]
        row = [(token, place, PREFIX, -1) for place, token in enumerate(prefix)]
        for segment, (text, answer) in enumerate(lessons, start=1):
            question, response = prompts.understanding(text), [*prompts.response(answer), prompts.end_id]
            tokens = [*question, *response[:-1]]
            targets = [-1] * (len(question) - 1) + response
            row += [
                (token, len(prefix) + place, segment, target)
                for place, (token, target) in enumerate(zip(tokens, targets, strict=True))
            ]
        rows.append(row)
    length = max(map(len, rows))
    empty = (layout.pad, 0, PADDING, -1)
    ids, positions, segments, targets = torch.tensor([row + [empty] * (length - len(row)) for row in rows]).unbind(-1)
    both_ways = torch.zeros_like(ids, dtype=torch.bool)
    both_ways[:, : 1 + layout.num_image_tokens + 2] = True
    return ids, positions, block_mask(segments, both_ways), targets


def generation_loss(model: ShowoModel, images: Tensor, prompts: list[str], rng: np.random.Generator) -> Tensor:
    """Every drawing with N cos(pi t / 2) of its codes hidden, the times t of a batch spread evenly over 0..1; the loss
    is of the hidden codes. A tenth of the prompts is empty, so that guidance has something to push away from.
    """
    layout, network = model.layout, model.network
    codes = network.tokenizer.encode(images)
    rows = [model.prompts.generation(prompt) for prompt in prompts]
    rows = [model.prompts.unconditional if rng.random() < PROMPT_DROPOUT else row for row in rows]
    ids, positions, mask = drawing_rows(rows, layout)
    hidden = hidden_places(len(rows), codes.shape[1], rng)
    columns = code_columns(ids, layout)
    ids[:, columns] = torch.where(hidden, layout.mask, layout.first_code + codes)
    states = hidden_states(model, ids, positions, mask)[:, columns]
    return cross_entropy(network.code_logits(states[hidden]), codes[hidden])


def hidden_places(count: int, length: int, rng: np.random.Generator) -> Tensor:
    """Bool [count, length]."""
    times = (rng.permutation(count) + rng.random(count)) / count
    ranks: Any = rng.random((count, length)).argsort(axis=1).argsort(axis=1)
    sizes = np.array([mask_size(time, length) for time in times])
    return torch.from_numpy(ranks < sizes[:, None])

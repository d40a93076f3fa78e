"""Questions about images to answers: one reading of each image, then of each question, then one step a token."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from bifrons.models.sampling import batches, choose, left_padded, uniforms
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.showo.prompts import Prompts
from bifrons.protocol import Answer, Sampling

LEAVE = 0.5  # once no more than this share of a batch's rows goes on, the others are taken out


class Reader:
    """Rows of the body with their keys and values; `seen` [rows, length] tells padding from what may be looked at."""

    def __init__(self, network: ShowoNetwork, ids_RL: Tensor) -> None:
        """Reads images, which see themselves both ways."""
        self.network = network
        self.body: Any = network.showo.model
        rows, length = ids_RL.shape
        self.seen = torch.ones(rows, length, dtype=torch.bool, device=ids_RL.device)
        self.next = torch.full((rows,), length, device=ids_RL.device)  # the position of a row's next token
        self.cache = DynamicCache(config=self.body.config)
        positions = torch.arange(length, device=ids_RL.device).expand(rows, -1)
        self.forward(ids_RL, positions, torch.ones(rows, 1, length, length, dtype=torch.bool, device=ids_RL.device))

    def forward(self, ids_RL: Tensor, positions_RL: Tensor, mask_R1LT: Tensor) -> Tensor:
        return self.body(
            input_ids=ids_RL,
            position_ids=positions_RL,
            attention_mask=mask_R1LT,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]

    def read(self, ids_RL: Tensor, valid_RL: Tensor) -> Tensor:
        """Append text, padded on the left, to each row; the hidden state after it, [R, width]."""
        length = ids_RL.shape[1]
        places = (self.next[:, None] + valid_RL.long().cumsum(dim=1) - 1).clamp_min(0)
        self.seen = torch.cat((self.seen, valid_RL), dim=1)
        self.next = self.next + valid_RL.sum(dim=1)
        total = self.seen.shape[1]
        causal = torch.ones(total, total, dtype=torch.bool, device=ids_RL.device).tril()[-length:]
        return self.forward(ids_RL, places, (causal & self.seen[:, None, :])[:, None])

    def keep(self, rows: Tensor) -> None:
        """Only these rows (indices, repeats allowed) go on."""
        self.cache.batch_select_indices(rows)
        self.seen, self.next = self.seen[rows], self.next[rows]


def answer_tokens(
    network: ShowoNetwork,
    prompts: Prompts,
    images: Sequence[Hashable],
    codes: Callable[[int], Sequence[int]],
    asked: Sequence[list[int]],
    sampling: Sampling,
    report: Callable[[int], None] | None = None,
) -> list[Answer]:
    """One answer to each question (ids) about the image of the same index.

    `images` names each question's image: questions of one image stand together and it is read once for all of those in
    a batch; `codes(index)` are the image's codes.
    """
    layout, device = network.layout, network.image_head.weight.device
    first_seen = {image: place for place, image in reversed([*enumerate(images)])}
    order = [(first_seen[image], len(ids)) for image, ids in zip(images, asked, strict=True)]
    made: dict[int, Answer] = {}
    limit, end = sampling.max_new_tokens, prompts.end_id
    for chosen, names in batches(order, sampling, report):
        noise = uniforms(sampling.seed, names, limit).to(device)
        holders = {images[i]: i for i in reversed(chosen)}
        different = [*holders]
        shown = [[layout.read, *layout.image(tuple(codes(holders[image])))] for image in different]
        reader = Reader(network, torch.tensor(shown, device=device))
        reader.keep(torch.tensor([different.index(images[i]) for i in chosen], device=device))
        ids, valid = left_padded([asked[i] for i in chosen], layout.pad)
        hidden = reader.read(ids.to(device), valid.to(device))
        tokens = torch.full((len(chosen), limit), end, device=device)
        going = torch.arange(len(chosen), device=device)
        ended = torch.zeros(len(chosen), dtype=torch.bool, device=device)
        for position in range(limit):
            token = choose(network.word_logits(hidden), sampling.temperature, noise[going, position])
            tokens[going, position] = torch.where(ended[going], end, token)
            ended[going] |= token == end
            on = ~ended[going]
            if not bool(on.any()) or position + 1 == limit:
                break
            if int(on.sum()) <= LEAVE * len(going):
                going = going[on]
                reader.keep(on.nonzero()[:, 0])
            step = tokens[going, position][:, None]
            hidden = reader.read(step, torch.ones_like(step, dtype=torch.bool))
        for i, row, done in zip(chosen, tokens.tolist(), ended.tolist(), strict=True):
            kept = row[: row.index(end)] if done else row
            made[i] = Answer(prompts.text(kept), tuple(kept), done)
    return [made[i] for i in range(len(asked))]

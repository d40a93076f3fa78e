"""Questions about images to answers: one reading of each image, then of each question, then one step a token."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from bifrons.models.janus.decode import Body, Decoder
from bifrons.models.janus.prompts import Prompts
from bifrons.models.janus.replay import Replays
from bifrons.models.sampling import batches, choose, left_padded, uniforms
from bifrons.protocol import Answer, Sampling

LEAVE = 0.5  # once no more than this share of a batch's rows goes on, the others are taken out: their copy then pays


def answer_tokens(
    core: Any,
    text_head: Callable[[Tensor], Tensor],
    prompts: Prompts,
    images: Sequence[Hashable],
    features: Callable[[list[int]], Tensor],
    asked: Sequence[list[int]],
    sampling: Sampling,
    report: Callable[[int], None] | None = None,
) -> list[Answer]:
    """One answer to each question (ids) about the image of the same index.

    `images` names each question's image: questions of one image stand together, and `features`, of questions of
    different images [images, image tokens, width], is asked once a batch. `text_head` gives fp32 logits.
    """
    body = Body(core.language_model, min(sampling.batch_size, len(asked)))
    step = WordStep(text_head, body, sampling.temperature)
    replays = Replays(body, step)
    first_seen = {image: place for place, image in reversed([*enumerate(images)])}
    order = [(first_seen[image], len(ids)) for image, ids in zip(images, asked, strict=True)]
    made: dict[int, Answer] = {}
    limit, end = sampling.max_new_tokens, prompts.eos_id
    for chosen, names in batches(order, sampling, report):
        noise = uniforms(sampling.seed, names, limit).to(body.device)
        hidden, decoder = read_questions(body, prompts, images, features, asked, chosen, limit)
        if body.device.type == "cuda":  # rows that have ended stay: a step reads all weights for any number of them
            every = torch.arange(len(chosen), device=body.device)
            tokens = replays.walk(hidden, decoder, every, noise, lambda made: bool((made == end).any(dim=1).all()))
        else:
            tokens = step.answer(hidden, decoder, noise, end)
        for i, row in zip(chosen, tokens.tolist(), strict=True):
            done = end in row
            kept_tokens = row[: row.index(end)] if done else row
            made[i] = Answer(prompts.text(kept_tokens), tuple(kept_tokens), done)
    return [made[i] for i in range(len(asked))]


class WordStep:
    """From the hidden state before a token, [rows, width], to the token, and on to the next state."""

    def __init__(self, text_head: Callable[[Tensor], Tensor], body: Body, temperature: float) -> None:
        self.text_head, self.body, self.temperature = text_head, body, temperature

    def choose(self, hidden: Tensor, noise: Tensor) -> Tensor:
        return choose(self.text_head(hidden), self.temperature, noise)

    def embed(self, tokens: Tensor) -> Tensor:
        return self.body.embed(tokens)

    def answer(self, hidden: Tensor, decoder: Decoder, noise: Tensor, end: int) -> Tensor:
        """Tokens [rows, limit] for noise of that shape, `end` after each row's own; rows that have ended leave."""
        rows, limit = noise.shape
        tokens = torch.full((rows, limit), end, device=noise.device)
        going = torch.arange(rows, device=noise.device)
        ended = torch.zeros(rows, dtype=torch.bool, device=noise.device)
        for position in range(limit):
            token = self.choose(hidden, noise[going, position])
            tokens[going, position] = torch.where(ended[going], end, token)
            ended[going] |= token == end
            on = ~ended[going]
            num_going = int(on.sum())
            if num_going == 0 or position + 1 == limit:
                break
            if num_going <= LEAVE * len(going):
                kept = on.nonzero()[:, 0]
                going, decoder = going[kept], decoder.continued(kept, decoder.room)
            hidden = decoder.step(self.embed(tokens[going, position]))
        return tokens


def read_questions(
    body: Body,
    prompts: Prompts,
    images: Sequence[Hashable],
    features: Callable[[list[int]], Tensor],
    asked: Sequence[list[int]],
    chosen: list[int],
    limit: int,
) -> tuple[Tensor, Decoder]:
    """The hidden state after each question, and a decoder that has read them: an image and what stands before it are
    read once for all questions about it, and a question that is asked many times once.
    """
    ends = {i: len(asked[i]) - asked[i][::-1].index(prompts.image_id) for i in chosen}
    heads = {i: (images[i], tuple(asked[i][: ends[i]])) for i in chosen}
    tails = {i: (heads[i], tuple(asked[i][ends[i] :])) for i in chosen}
    different_heads = list(dict.fromkeys(heads.values()))
    different_tails = list(dict.fromkeys(tails.values()))
    holder = {heads[i]: i for i in reversed(chosen)}

    ids, valid = left_padded([list(head) for _, head in different_heads], prompts.pad_id)
    embeds = body.embed(ids.to(body.device)).clone()
    seen = features([holder[head] for head in different_heads])
    embeds[(ids == prompts.image_id) & valid] = seen.reshape(-1, embeds.shape[-1])
    reader = Decoder(body, len(different_heads), ids.shape[1])
    reader.read(embeds, valid.to(body.device), goes_on=True)

    ids, valid = left_padded([list(tail) for _, tail in different_tails], prompts.pad_id)
    of_head = torch.tensor([different_heads.index(head) for head, _ in different_tails], device=body.device)
    reader = reader.continued(of_head, reader.filled + ids.shape[1] + limit)
    hidden = reader.read(body.embed(ids.to(body.device)), valid.to(body.device))
    if len(different_tails) == len(chosen):
        return hidden, reader
    of_tail = torch.tensor([different_tails.index(tails[i]) for i in chosen], device=body.device)
    return hidden[of_tail], reader.continued(of_tail, reader.room)

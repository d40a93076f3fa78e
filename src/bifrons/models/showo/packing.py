"""Rows of a batch of pairs, and who sees whom in them.

Understanding: [read][image][question][chosen][rejected] in one row. Generation: the drawing once for each mask, chosen
and rejected with the same ones, behind its prompt, which is padded on the left. Text is causal; an image sees itself
both ways and the text before it; nobody sees padding. Words are predicted one place before they stand, codes where
they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bifrons.models.showo.layout import Layout
from bifrons.records import Task

PADDING, PREFIX = -1, 0  # segments; responses behind a prefix are 1 and 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Rows, and where in them response tokens are predicted.

    `ids` and `positions` are [rows, length]; `mask` is [rows, 1, length, length], True where a position may look.
    `source`, `target`, `sequence`, `place`, `draw` and `weight` are [predictions]: the flat position whose hidden state
    predicts the token, the token as its head counts it, its response (2 * pair, + 1 for rejected), its place in that
    response, the mask that hides it (0 for words) and what the log-probability counts for in the response's sum.
    """

    task: Task
    ids: Tensor
    positions: Tensor
    mask: Tensor
    source: Tensor
    target: Tensor
    sequence: Tensor
    place: Tensor
    draw: Tensor
    weight: Tensor
    num_draws: int
    lengths: Tensor
    tokens: Tensor

    def __post_init__(self) -> None:
        rows, length = self.ids.shape
        assert self.mask.dtype == torch.bool and self.mask.shape == (rows, 1, length, length), (
            "rows without their block mask would be silently wrong"
        )
        assert len(self.lengths) == 2 * self.num_pairs and len(self.tokens) == int(self.lengths.sum())

    @property
    def num_pairs(self) -> int:
        return len(self.lengths) // 2


def block_mask(segment_RL: Tensor, both_ways_RL: Tensor) -> Tensor:
    """[R, 1, L, L]: causal within a segment and from a response to the prefix; both ways within an image.

    Padding sees itself alone: a row of no keys would be NaN.
    """
    length = segment_RL.shape[1]
    own, other = segment_RL[:, :, None], segment_RL[:, None, :]
    real = (own != PADDING) & (other != PADDING)
    causal = torch.ones(length, length, dtype=torch.bool, device=segment_RL.device).tril()
    image = both_ways_RL[:, :, None] & both_ways_RL[:, None, :]
    seen = real & (causal & ((own == other) | (other == PREFIX)) | image)
    return (seen | torch.eye(length, dtype=torch.bool, device=segment_RL.device))[:, None]


def drawing_rows(prompts: Sequence[list[int]], layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Ids with every code masked, positions and mask of rows [prompt][image], padded on the left to the longest prompt.

    A prompt always ends at the last of the text slots, so an item's positions do not depend on its batch.
    """
    texts = max(map(len, prompts))
    image = [layout.begin_image, *[layout.mask] * layout.num_image_tokens, layout.end_image]
    length = texts + len(image)
    ids = torch.full((len(prompts), length), layout.pad)
    segment = torch.full((len(prompts), length), PADDING)
    for row, prompt in enumerate(prompts):
        ids[row, texts - len(prompt) :] = torch.tensor([*prompt, *image])
        segment[row, texts - len(prompt) :] = PREFIX
    both_ways = (torch.arange(length) >= texts).expand(len(prompts), length)
    positions = (torch.arange(length) + layout.text_slots - texts).expand(len(prompts), length)
    return ids, positions, block_mask(segment, both_ways)


def code_columns(ids_RL: Tensor, layout: Layout) -> slice:
    """Where the codes of drawing rows stand."""
    return slice(ids_RL.shape[1] - 1 - layout.num_image_tokens, ids_RL.shape[1] - 1)


def pack_understanding(
    images: Sequence[Sequence[int]],
    questions: Sequence[list[int]],
    responses: Sequence[tuple[list[int], list[int]]],
    layout: Layout,
) -> Packed:
    """One row a pair, of an image's codes, a question's ids and two answers that end with the end token."""
    prefixes = [
        [layout.read, *layout.image(tuple(codes)), *question] for codes, question in zip(images, questions, strict=True)
    ]
    length = max(len(prefix) + len(a) + len(b) for prefix, (a, b) in zip(prefixes, responses, strict=True))
    rows = len(prefixes)
    ids = torch.full((rows, length), layout.pad)
    positions = torch.zeros(rows, length, dtype=torch.long)
    segment = torch.full((rows, length), PADDING)
    source, target, sequence, place = [], [], [], []
    for row, (prefix, pair) in enumerate(zip(prefixes, responses, strict=True)):
        end = len(prefix)
        ids[row, : end + len(pair[0]) + len(pair[1])] = torch.tensor([*prefix, *pair[0], *pair[1]])
        positions[row, :end] = torch.arange(end)
        segment[row, :end] = PREFIX
        start = end
        for side, response in enumerate(pair):
            stop = start + len(response)
            positions[row, start:stop] = torch.arange(end, end + len(response))
            segment[row, start:stop] = 1 + side
            source += [row * length + end - 1, *(row * length + column for column in range(start, stop - 1))]
            target += response
            sequence += [2 * row + side] * len(response)
            place += range(len(response))
            start = stop
    image_end = 1 + layout.num_image_tokens + 2  # the task's token is of the image: the published mask lets it see it
    both_ways = (torch.arange(length) < image_end).expand(rows, length)
    tokens = torch.tensor(target)
    return Packed(
        task="understanding",
        ids=ids,
        positions=positions,
        mask=block_mask(segment, both_ways),
        source=torch.tensor(source),
        target=tokens,
        sequence=torch.tensor(sequence),
        place=torch.tensor(place),
        draw=torch.zeros(len(target), dtype=torch.long),
        weight=torch.ones(len(target), dtype=torch.float64),
        num_draws=1,
        lengths=torch.tensor([len(response) for pair in responses for response in pair]),
        tokens=tokens,
    )


def pack_generation(
    prompts: Sequence[list[int]],
    codes: Sequence[tuple[Sequence[int], Sequence[int]]],
    masks: Sequence[tuple[Tensor, Tensor]],
    layout: Layout,
) -> Packed:
    """Two drawings a pair and a row for each mask of each: `masks` gives hidden places [K, N] and weights [K]."""
    num_draws = len(masks[0][1])
    ids, positions, mask = drawing_rows([prompt for prompt in prompts for _ in range(2 * num_draws)], layout)
    drawings = torch.tensor([list(drawing) for pair in codes for drawing in pair])  # [2 * pairs, N]
    hidden = torch.stack([hidden for hidden, _ in masks]).repeat_interleave(2, dim=0)  # [2 * pairs, K, N]
    weights = torch.stack([weight for _, weight in masks]).repeat_interleave(2, dim=0)  # [2 * pairs, K]
    columns = code_columns(ids, layout)
    shown = torch.where(hidden, layout.mask, layout.first_code + drawings[:, None])
    ids[:, columns] = shown.flatten(0, 1)
    sequence, draw, place = hidden.nonzero(as_tuple=True)
    return Packed(
        task="generation",
        ids=ids,
        positions=positions,
        mask=mask,
        source=(sequence * num_draws + draw) * ids.shape[1] + columns.start + place,
        target=drawings[sequence, place],
        sequence=sequence,
        place=place,
        draw=draw,
        weight=weights[sequence, draw] / num_draws,
        num_draws=num_draws,
        lengths=torch.full((len(drawings),), drawings.shape[1]),
        tokens=drawings.flatten(),
    )

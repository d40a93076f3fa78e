"""Rows of a batch of pairs.

Understanding: [prefix][chosen][rejected] in one row. The prefix (an image and a question) is longer than a response, so
it
is computed once; a block mask keeps the responses from seeing each other, and positions start again after the prefix.
Generation: two causal rows of equal length. 576 codes behind 20 words gain nothing from sharing the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bifrons.records import Task

PAD, TEXT, FEATURE, CODE = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Rows, and where in them each response token is predicted.

    `ids`, `kinds` and `positions` are [rows, length]; `mask` is [rows, 1, length, length], True where a position may
    look,
    or None for plain causal rows padded on the right. `source`, `target` and `sequence` are [predicted tokens]: the
    flat
    position (row * length + column) whose hidden state predicts the token, the token, and its response (2 * pair, + 1
    for rejected).
    """

    task: Task
    ids: Tensor
    kinds: Tensor
    positions: Tensor
    mask: Tensor | None
    features: Tensor | None
    source: Tensor
    target: Tensor
    sequence: Tensor
    num_pairs: int

    def __post_init__(self) -> None:
        rows, length = self.ids.shape
        if self.task == "understanding":
            assert self.mask is not None, "packed understanding rows without their block mask would be silently wrong"
            assert self.mask.dtype == torch.bool and self.mask.shape == (rows, 1, length, length)
        else:
            assert self.mask is None and rows == 2 * self.num_pairs

    @property
    def place(self) -> Tensor:
        """The place of each predicted token in its response, from 0: the tokens of one response stand together."""
        starts = torch.bincount(self.sequence, minlength=2 * self.num_pairs).cumsum(0).roll(1)
        starts[0] = 0
        return torch.arange(len(self.sequence), device=self.sequence.device) - starts[self.sequence]


def pack_understanding(
    prefixes: Sequence[list[int]], responses: Sequence[tuple[list[int], list[int]]], features: Tensor, image_id: int
) -> Packed:
    """One row a pair. `responses` end with the end token; `features` are [pairs, image tokens, width]; the mask, the
    one large part of a row, is made on their device.
    """
    length = max(len(prefix) + len(a) + len(b) for prefix, (a, b) in zip(prefixes, responses, strict=True))
    rows = len(prefixes)
    ids = torch.zeros(rows, length, dtype=torch.long)
    kinds = torch.zeros(rows, length, dtype=torch.long)
    positions = torch.zeros(rows, length, dtype=torch.long)
    segment = torch.full((rows, length), -1, dtype=torch.long)  # 0 prefix, 1 chosen, 2 rejected, -1 padding
    source, target, sequence = [], [], []
    for row, (prefix, pair) in enumerate(zip(prefixes, responses, strict=True)):
        prefix_ids = torch.tensor(prefix)
        end = len(prefix)
        ids[row, :end] = prefix_ids
        kinds[row, :end] = torch.where(prefix_ids == image_id, FEATURE, TEXT)
        positions[row, :end] = torch.arange(end)
        segment[row, :end] = 0
        start = end
        for side, response in enumerate(pair):
            stop = start + len(response)
            ids[row, start:stop] = torch.tensor(response)
            kinds[row, start:stop] = TEXT
            positions[row, start:stop] = torch.arange(end, end + len(response))
            segment[row, start:stop] = 1 + side
            source += [row * length + end - 1, *(row * length + column for column in range(start, stop - 1))]
            target += response
            sequence += [2 * row + side] * len(response)
            start = stop
    segment = segment.to(features.device)
    causal = torch.ones(length, length, dtype=torch.bool, device=segment.device).tril()
    same = segment[:, :, None] == segment[:, None, :]
    to_prefix = (segment[:, None, :] == 0) & (segment[:, :, None] > 0)
    itself = torch.eye(length, dtype=torch.bool, device=segment.device)  # padding: else a row of no keys, and NaN
    mask = (causal & (same | to_prefix)) | itself
    return Packed(
        task="understanding",
        ids=ids,
        kinds=kinds,
        positions=positions,
        mask=mask[:, None],
        features=features,
        source=torch.tensor(source),
        target=torch.tensor(target),
        sequence=torch.tensor(sequence),
        num_pairs=rows,
    )


def pack_generation(
    prompts: Sequence[list[int]], codes: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int
) -> Packed:
    """Two rows a pair; the last code of a row predicts nothing and is left out."""
    length = max(len(prompt) + len(pair[0]) for prompt, pair in zip(prompts, codes, strict=True)) - 1
    rows = 2 * len(prompts)
    ids = torch.full((rows, length), pad_id, dtype=torch.long)
    kinds = torch.zeros(rows, length, dtype=torch.long)
    source, target, sequence = [], [], []
    for index, (prompt, pair) in enumerate(zip(prompts, codes, strict=True)):
        for side, drawing in enumerate(pair):
            row, start, stop = 2 * index + side, len(prompt), len(prompt) + len(drawing) - 1
            ids[row, :start] = torch.tensor(prompt)
            kinds[row, :start] = TEXT
            ids[row, start:stop] = torch.tensor(drawing[:-1])
            kinds[row, start:stop] = CODE
            source += [row * length + column for column in range(start - 1, stop)]
            target += drawing
            sequence += [row] * len(drawing)
    return Packed(
        task="generation",
        ids=ids,
        kinds=kinds,
        positions=torch.arange(length).expand(rows, length),
        mask=None,
        features=None,
        source=torch.tensor(source),
        target=torch.tensor(target),
        sequence=torch.tensor(sequence),
        num_pairs=len(prompts),
    )

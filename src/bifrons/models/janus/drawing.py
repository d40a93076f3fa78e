"""Prompts to codes: one reading of each different prompt, then one step a code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bifrons.models.janus.decode import Body, Decoder
from bifrons.models.janus.projections import Maps
from bifrons.models.janus.prompts import Prompts
from bifrons.models.janus.replay import Replays
from bifrons.models.sampling import batches, choose, guided, left_padded, uniforms
from bifrons.protocol import Sampling

MOST_TABLED = 1024  # codes: so small a codebook is embedded once a call, and a step looks its codes up


def draw_codes(
    core: Any,
    prompts: Prompts,
    asked: Sequence[list[int]],
    length: int,
    sampling: Sampling,
    guidance: float,
    report: Callable[[int], None] | None = None,
) -> list[tuple[int, ...]]:
    """The codes of one drawing of each prompt (ids), `length` of them.

    Rows that read the same (samples of one prompt, unconditional rows of prompts of one length) are read once.
    """
    images = min(sampling.batch_size, len(asked))
    body = Body(core.language_model, images * (2 if guidance > 1 else 1))
    step = CodeStep(CodeHead(core.generation_head, images), code_embedder(core, body), guidance, sampling.temperature)
    replays = Replays(body, step)
    made: dict[int, tuple[int, ...]] = {}
    for chosen, names in batches([len(ids) for ids in asked], sampling, report):
        rows = [tuple(asked[i]) for i in chosen]
        if guidance > 1:
            rows += [tuple(prompts.unconditional(asked[i])) for i in chosen]
        different = list(dict.fromkeys(rows))
        ids, valid = left_padded([list(row) for row in different], prompts.pad_id)
        reader = Decoder(body, len(different), ids.shape[1])
        index = torch.tensor([different.index(row) for row in rows], device=body.device)
        hidden = reader.read(body.embed(ids.to(body.device)), valid.to(body.device))[index]
        noise = uniforms(sampling.seed, names, length).to(body.device)
        if body.device.type == "cuda":
            codes = replays.walk(hidden, reader, index, noise)
        else:
            codes = step.draw(hidden, reader.continued(index, ids.shape[1] + length), noise)
        made |= dict(zip(chosen, map(tuple, codes.tolist()), strict=True))
    return [made[i] for i in range(len(asked))]


class CodeStep:
    """From the hidden state before a code, [rows, width], to the code, [images], and on to the next state."""

    def __init__(
        self, head: CodeHead, embed_codes: Callable[[Tensor], Tensor], guidance: float, temperature: float
    ) -> None:
        self.head, self.embed_codes = head, embed_codes
        self.guidance, self.temperature = guidance, temperature

    def choose(self, hidden: Tensor, noise: Tensor) -> Tensor:
        return choose(self.head(hidden, self.guidance), self.temperature, noise)

    def embed(self, code: Tensor) -> Tensor:
        """What each row reads next: with guidance both halves read the same code."""
        states = self.embed_codes(code)
        return states if self.guidance == 1 else torch.cat((states, states))

    def draw(self, hidden: Tensor, decoder: Decoder, noise: Tensor) -> Tensor:
        """Codes [images, length] for noise of that shape."""
        codes = torch.zeros(noise.shape, dtype=torch.long, device=noise.device)
        for position in range(noise.shape[1]):
            codes[:, position] = code = self.choose(hidden, noise[:, position])
            if position + 1 < noise.shape[1]:
                hidden = decoder.step(self.embed(code))
        return codes


class CodeHead:
    """fp32 logits over codes, [images, codes], of rows of which the first half is conditional.

    Guidance is a weighted sum with weights that add to 1, and the head's last map is affine: guiding its input gives
    the guided logits with half of that map's work.
    """

    def __init__(self, head: Any, images: int) -> None:
        self.inner = Maps(head.proj_out, rows=2 * images)
        self.activation = head.activation_fn
        self.outer = Maps(head.vision_head, rows=images)

    def __call__(self, hidden: Tensor, guidance: float) -> Tensor:
        inner = self.activation(self.inner.together(hidden.float()))
        return self.outer.together(guided(inner, guidance))


def code_embedder(core: Any, body: Body) -> Callable[[Tensor], Tensor]:
    """Codes [images] to what the language model reads of them, [images, width]."""

    def embed(codes: Tensor) -> Tensor:
        return core.generation_aligner(core.generation_embeddings(codes)).to(body.dtype)

    count: int = core.generation_embeddings.num_embeddings
    if count > MOST_TABLED:
        return embed
    table = embed(torch.arange(count, device=body.device))
    return lambda codes: table[codes]

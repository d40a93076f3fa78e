"""The steps of a drawing as CUDA graphs: a GPU draws a code faster than Python can ask for one.

All that a step reads and writes lies at fixed places, and where it writes is a tensor. Attention over the places up to
a multiple of `REACH` is one graph, recorded at the second step that has it and replayed for the rest; places that are
not yet written are masked. On a CPU the same steps run unrecorded, which is how they are tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from bifrons.models.janus.decode import Body, Decoder

REACH = 128  # places: a smaller one reads less that is masked, and records more


class CodeStep(Protocol):
    """What the drawing does between two states of the language model."""

    def choose(self, hidden: Tensor, noise: Tensor) -> Tensor: ...

    def embed(self, code: Tensor) -> Tensor: ...


class Replay:
    """Drawings of one number of rows: made once, and used for every batch that has so many."""

    def __init__(self, body: Body, step: CodeStep, rows: int, longest_prompt: int, noise_BN: Tensor) -> None:
        self.step = step
        self.length = noise_BN.shape[1]
        self.decoder = Decoder(body, rows, up_to_reach(longest_prompt + self.length), clean=True)
        self.noise_BN = torch.empty_like(noise_BN)
        self.codes_BN = torch.zeros(noise_BN.shape, dtype=torch.long, device=body.device)
        self.code_B = self.codes_BN[:, 0].clone()
        self.hidden_RD = torch.zeros(rows, body.embed.weight.shape[1], dtype=body.dtype, device=body.device)
        self.position_1 = torch.zeros(1, dtype=torch.long, device=body.device)  # of the code
        self.place_1 = torch.zeros(1, dtype=torch.long, device=body.device)  # in the cache
        self.graphs: dict[int, Callable[[], None]] = {}
        self.pool: Any = None  # of memory: graphs that are replayed in turn share one

    def draw(self, hidden_RD: Tensor, reader: Decoder, rows: Tensor, noise_BN: Tensor) -> Tensor:
        """Codes [images, length] of rows (indices) of a decoder that has read the prompts."""
        self.decoder.take(reader, rows)
        self.decoder.hide_unread()
        self.hidden_RD.copy_(hidden_RD)
        self.noise_BN.copy_(noise_BN)
        self.position_1.zero_()
        self.place_1.fill_(reader.filled)
        seen: set[int] = set()
        for position in range(self.length - 1):
            reach = up_to_reach(reader.filled + position + 1)
            if reach in self.graphs:
                self.graphs[reach]()
            elif reach not in seen:  # a step that is recorded is not done, and its calls must have been made before
                seen.add(reach)
                self.advance(reach)
            else:
                self.graphs[reach] = self.record(reach)
                self.graphs[reach]()
        self.choose()
        return self.codes_BN.clone()

    def choose(self) -> None:
        noise_B = self.noise_BN.index_select(1, self.position_1)[:, 0]
        self.code_B.copy_(self.step.choose(self.hidden_RD, noise_B))
        self.codes_BN.index_copy_(1, self.position_1, self.code_B[:, None])

    def advance(self, reach: int) -> None:
        """Choose a code, read it, and move on."""
        self.choose()
        self.hidden_RD.copy_(self.decoder.step_at(self.step.embed(self.code_B), self.place_1, reach))
        self.position_1 += 1
        self.place_1 += 1

    def record(self, reach: int) -> Callable[[], None]:
        if self.place_1.device.type != "cuda":
            return lambda: self.advance(reach)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            self.advance(reach)
        self.pool = graph.pool()
        return graph.replay


def up_to_reach(places: int) -> int:
    return -(-places // REACH) * REACH

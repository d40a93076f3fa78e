"""The steps of sampling as CUDA graphs: a GPU takes a step faster than Python can ask for one.

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
ASKED = 8  # steps after which it is asked whether all rows have ended: asking waits for the GPU

# B samples, R rows of the language model (with guidance two a sample), N steps, D width


class Step(Protocol):
    """What lies between two states of the language model."""

    def choose(self, hidden_RD: Tensor, noise_B: Tensor, /) -> Tensor:
        """A token a sample, [B]."""
        ...

    def embed(self, tokens_B: Tensor, /) -> Tensor:
        """What each row reads next, [R, D]."""
        ...


class Replays:
    """The recorded steps of one call: one set for each number of samples, since the last batch may have fewer."""

    def __init__(self, body: Body, step: Step) -> None:
        self.body, self.step = body, step
        self.made: dict[int, Replay] = {}

    def walk(
        self,
        hidden_RD: Tensor,
        reader: Decoder,
        rows_R: Tensor,
        noise_BN: Tensor,
        ended: Callable[[Tensor], bool] | None = None,
    ) -> Tensor:
        """Tokens [B, N] after what these rows (indices) of `reader` have read; zeros after a step at which all samples
        have `ended` (asked with the tokens so far).
        """
        samples, room = len(noise_BN), up_to_reach(reader.filled + noise_BN.shape[1])
        replay = self.made.get(samples)
        if replay is None or replay.decoder.room < room:
            replay = self.made[samples] = Replay(self.body, self.step, len(rows_R), room, noise_BN)
        return replay.walk(hidden_RD, reader, rows_R, noise_BN, ended)


class Replay:
    """Steps of one number of rows, with buffers that all batches of so many share."""

    def __init__(self, body: Body, step: Step, rows: int, room: int, noise_BN: Tensor) -> None:
        self.step = step
        self.decoder = Decoder(body, rows, room, clean=True)
        self.noise_BN = torch.empty_like(noise_BN)
        self.tokens_BN = torch.zeros(noise_BN.shape, dtype=torch.long, device=body.device)
        self.token_B = torch.zeros(len(noise_BN), dtype=torch.long, device=body.device)
        self.hidden_RD = torch.zeros(rows, body.embed.weight.shape[1], dtype=body.dtype, device=body.device)
        self.position_1 = torch.zeros(1, dtype=torch.long, device=body.device)  # of the token
        self.place_1 = torch.zeros(1, dtype=torch.long, device=body.device)  # in the cache
        self.graphs: dict[int, Callable[[], None]] = {}
        self.pool: Any = None  # of memory: graphs that are replayed in turn share one

    def walk(
        self,
        hidden_RD: Tensor,
        reader: Decoder,
        rows_R: Tensor,
        noise_BN: Tensor,
        ended: Callable[[Tensor], bool] | None = None,
    ) -> Tensor:
        self.decoder.take(reader, rows_R)
        self.decoder.hide_unread()
        self.hidden_RD.copy_(hidden_RD)
        self.noise_BN.copy_(noise_BN)
        self.tokens_BN.zero_()
        self.position_1.zero_()
        self.place_1.fill_(reader.filled)
        seen: set[int] = set()
        for position in range(noise_BN.shape[1] - 1):
            reach = up_to_reach(reader.filled + position + 1)
            if reach not in self.graphs and reach not in seen:
                seen.add(reach)  # what a recording calls must have been called before, and is not done by it
                self.advance(reach)
            else:
                if reach not in self.graphs:
                    self.graphs[reach] = self.record(reach)
                self.graphs[reach]()
            if ended and (position + 1) % ASKED == 0 and ended(self.tokens_BN[:, : position + 1]):
                return self.tokens_BN.clone()
        self.choose()
        return self.tokens_BN.clone()

    def choose(self) -> None:
        noise_B = self.noise_BN.index_select(1, self.position_1)[:, 0]
        self.token_B.copy_(self.step.choose(self.hidden_RD, noise_B))
        self.tokens_BN.index_copy_(1, self.position_1, self.token_B[:, None])

    def advance(self, reach: int) -> None:
        """Choose a token, read it, and move on."""
        self.choose()
        self.hidden_RD.copy_(self.decoder.step_at(self.step.embed(self.token_B), self.place_1, reach))
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

"""Do token counts make the generation gradient longer? Score fewer of them and see (claims 2 and 20).

Token counts of a model and its data stand as they are, so a ratio of norms near the ratio of counts proves nothing.
Here the same pairs are scored on their first tokens alone: one forward a pair, one backward a cut.

Where codes are drawn one after another, the first ones are a shorter drawing. Where they are drawn together they are
not: the whole drawing is read, and the loss counts the codes of the first places alone, each with its share of the
estimate. That is what is asked, since the count of scored tokens is changed and nothing else; the places in raster
order are the upper part of the picture.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import Parameter

from bifrons.diagnostics.cuts import Cut, CutBatch
from bifrons.diagnostics.gradients import loss_at_zero, order
from bifrons.gradients import take
from bifrons.protocol import TokenLogProbs, UnifiedModel
from bifrons.records import GenerationPair, UnderstandingPair

CODE_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of a drawing's codes; the whole comes last
ANSWER_SHARES = (1 / 4, 1 / 2, 3 / 4)  # of the median answer: short, medium and long; the whole comes last


def intervene(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    *,
    batches: int = 40,
    beta: float = 0.1,
    seed: int = 0,
    done: Sequence[CutBatch] = (),
    on_batch: Callable[[CutBatch], None] | None = None,
) -> list[CutBatch]:
    """Gradient norms of `batches` mini-batches of one pair a task, each task cut at several places.

    The model needs a fresh adapter and is not changed. With `done`, the first batches of the same intervention, it goes
    on after them. Raises ValueError for a task without pairs and for fewer than one batch.
    """
    for name, pairs in (("understanding", understanding), ("generation", generation)):
        if not pairs:
            raise ValueError(f"the intervention needs {name} pairs, and there are none")
    if batches < 1:
        raise ValueError(f"the intervention has {batches} batches; it needs at least 1")
    tensors = [parameter.tensor for parameter in model.shared_parameters()]
    head = [parameter for _, parameter in model.head_parameters()]
    u_order, g_order = (order(len(pairs), batches, seed, i) for i, pairs in enumerate((understanding, generation)))
    u_cuts, g_cuts = answer_cuts(model, understanding), code_cuts(model.num_image_tokens)
    found = list(done[:batches])
    for number in range(len(found), batches):
        u, g = understanding[u_order[number]], generation[g_order[number]]
        found.append(
            CutBatch(
                batch=number,
                records=(u.id, g.id),
                understanding=cut_norms(model, u, u_cuts, tensors, head, beta),
                generation=cut_norms(model, g, g_cuts, tensors, head, beta),
            )
        )
        if on_batch is not None:
            on_batch(found[-1])
    return found


def code_cuts(num_image_tokens: int) -> list[int | None]:
    """The first sixteenth, eighth, quarter and half of a drawing, and all of it."""
    cuts = sorted({max(1, round(share * num_image_tokens)) for share in CODE_SHARES})
    return [*cuts, None]


def answer_cuts(model: UnifiedModel, pairs: Sequence[UnderstandingPair]) -> list[int | None]:
    """A quarter, a half and three quarters of the median answer, and all of each answer."""
    middle = statistics.median(count for pair in pairs for count in model.count_tokens(pair))
    return [*sorted({max(1, round(share * middle)) for share in ANSWER_SHARES}), None]


def cut_norms(
    model: UnifiedModel,
    pair: Any,
    cuts: Sequence[int | None],
    shared: list[Parameter],
    head: list[Parameter],
    beta: float,
) -> tuple[Cut, ...]:
    """One forward for all cuts; the gradient of each is the gradient of its own loss."""
    with torch.enable_grad():
        each = model.token_log_probs(model.pack([pair]))
        alike = shared_prefix(each) if each.causal else 0  # what is read both ways differs wherever anything differs
        made: list[Cut] = []
        for place, first in enumerate(cuts):
            kept = each.summed(first)
            counts = kept.counts[0].tolist()
            differing = [max(0, count - alike) for count in counts]
            norm = None
            if any(differing):
                loss_at_zero(kept.sums, beta).backward(retain_graph=place + 1 < len(cuts))
                norm = sum(float(g.double().square().sum()) for g in take(shared) if g is not None) ** 0.5
                take(head)
            tokens = {"tokens": sum(counts) / 2, "differing": sum(differing) / 2}
            made.append(Cut(first=first, **tokens, norm=norm or None, causal=each.causal))
    return tuple(made)


def shared_prefix(each: TokenLogProbs) -> int:
    """How many tokens chosen and rejected of the only pair have in common at their start."""
    rows: list[list[int]] = []
    for sequence in (0, 1):
        own = each.sequence == sequence
        rows.append(each.tokens[own][each.position[own].argsort()].tolist())
    for place, (chosen, rejected) in enumerate(zip(*rows, strict=False)):
        if chosen != rejected:
            return place
    return min(map(len, rows))

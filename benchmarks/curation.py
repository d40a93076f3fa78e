"""Curation of the study's 1,300 + 288 pairs on the organism against item by item, the same pairs.

Measured on a sample and scaled by the number of pairs that the study keeps; the share kept is the sample's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.baselines import generate
from benchmarks.baselines.item_by_item import ItemByItem
from benchmarks.measure import Paired, Row, paired, speed_row
from benchmarks.subjects import SUBJECTS
from bifrons.pairs import real_against_generated
from bifrons.pairs import understanding_pairs as build_understanding
from bifrons.scorers.clip import load_clip
from bifrons.sources import scene_examples

BAR = 5.0
WANTED = {"understanding": 1300, "generation": 288}
BATCH = 64


def run(quick: bool, device: str) -> list[Row]:
    model, clip = SUBJECTS["organism"].build(device), load_clip("scenes-curation")
    alone: Any = ItemByItem(model, clip)
    count = 4 if quick else BATCH
    examples = scene_examples("pairs", count, 7)

    def understanding(maker: Any) -> list[Any]:
        model.vision.forget()
        return build_understanding(maker, examples, batch_size=BATCH, min_margin=0.0).pairs

    def generation(maker: Any, scorer: Any) -> list[Any]:
        return real_against_generated(maker, examples, scorer, batch_size=BATCH).pairs

    works: dict[str, tuple[Callable[[], list[Any]], Callable[[], list[Any]]]] = {
        "understanding": (lambda: understanding(alone), lambda: understanding(model)),
        "generation": (lambda: generation(alone, alone), lambda: generation(model, clip)),
    }
    rows: list[Row] = []
    taken: dict[str, Paired] = {}
    scales: dict[str, float] = {}
    for task, (theirs, ours) in works.items():
        slow, fast = theirs(), ours()
        same = sum(a.id == b.id and sides(a) == sides(b) for a, b in zip(slow, fast, strict=False)) / max(len(slow), 1)
        taken[task] = paired(theirs, ours, repeats=2 if quick else 7, warm=False)
        scales[task] = WANTED[task] / max(len(fast), 1)
        details = {"pairs_of_the_sample": len(fast), "pairs_that_are_equal": same, "scaled_by": scales[task]}
        what = f"{task} pairs / item by item"
        rows.append(speed_row(taken[task], benchmark="curation", subject="organism", what=what, details=details))
    total = Paired(*(scaled(taken, scales, side) for side in ("baseline", "ours")))
    rows.append(
        speed_row(
            total, benchmark="curation", subject="organism", what="1,300 + 288 pairs / item by item, scaled", bar=BAR
        )
    )
    return [*rows, one_by_generate(model, examples, fast=taken["generation"].ours)]


def sides(pair: Any) -> tuple[Any, Any]:
    if hasattr(pair, "chosen_codes"):
        return pair.chosen_codes, pair.rejected_codes
    return pair.chosen, pair.rejected


def scaled(taken: dict[str, Paired], scales: dict[str, float], side: str) -> list[float]:
    """Seconds of the whole curation, repeat by repeat."""
    columns = [[seconds * scales[task] for seconds in getattr(taken[task], side)] for task in taken]
    return [sum(parts) for parts in zip(*columns, strict=True)]


def one_by_generate(model: Any, examples: Any, fast: list[float]) -> Row:
    """What drawing one at a time by transformers' `generate` takes (its noise is its own, so not the same pairs)."""
    few = examples[:4]
    generate.draw(model.network, model.processor, [few[0].prompt], 2.0)
    began = time.perf_counter()
    for example in few:
        generate.draw(model.network, model.processor, [example.prompt], 2.0)
    slow = (time.perf_counter() - began) * len(examples) / len(few)
    return Row(
        benchmark="curation",
        subject="organism",
        what="generation pairs / drawn one by one with generate",
        ratio=slow / min(fast),
        seconds_baseline=slow,
        seconds_ours=min(fast),
    )

"""An understanding-only step against TRL's `DPOTrainer` with its defaults, on the same pairs, with the same LoRA."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from benchmarks.baselines import trl_dpo
from benchmarks.measure import Paired, Row, speed_row
from benchmarks.step import preparation
from benchmarks.subjects import DTYPES, SUBJECTS, understanding_pairs
from bifrons import align
from bifrons.protocol import AdapterSettings
from bifrons.training import Recipe

BAR = 8.0
RUN_STEPS, RUN_PAIRS = 1000, 1300


def run(quick: bool, device: str) -> list[Row]:
    """TRL's steps, then ours on the same pairs: its trainer owns its loop, so the two cannot be interleaved."""
    name = "organism" if quick else "slice fp32" if device == "cpu" else "1b"
    subject, steps = SUBJECTS[name], 2 if quick else 5
    model = subject.build(device)
    pairs = understanding_pairs(subject, steps)
    processor = copy.copy(model.processor)
    processor.use_default_system_prompt = False  # TRL would put it before the answers too
    settings = AdapterSettings(rank=subject.adapter.rank, alpha=subject.adapter.alpha, dropout=0.0, train_head=False)
    preparing = preparation(model, pairs, [])["understanding"]
    network = copy.deepcopy(model.network).to(DTYPES[subject.dtype])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = trl_dpo.train(network, processor, pairs, settings)[1:]
    del network
    recipe = Recipe(strategy="understanding_only", steps=steps, adapter=settings)
    done = align(model, understanding=pairs, recipe=recipe, progress=False)
    ours = [step.seconds for step in done.steps][1:]
    amortised = preparing * RUN_PAIRS / RUN_STEPS
    common: dict[str, Any] = {"benchmark": "trl", "subject": name}
    return [
        speed_row(
            Paired(theirs, ours),
            what="understanding-only step / TRL",
            bar=BAR,
            details={"seconds_of_preparing_a_pair": preparing},
            **common,
        ),
        speed_row(
            Paired(theirs, [seconds + amortised for seconds in ours]),
            what=f"the same, preparing {RUN_PAIRS} pairs over {RUN_STEPS} steps",
            **common,
        ),
    ]

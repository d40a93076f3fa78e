"""A diagnosis in a folder: what was computed stays, what is missing is computed, and the record is written at the end.

`config.json` says which diagnosis it is; `batches.jsonl` and `cuts.jsonl` get a line a batch, so that a killed run goes
on; `diagnosis.json` and `intervention.json` hold the statistics. More batches than before continue the same diagnosis.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from bifrons.diagnostics.batches import Batch, batch_to_line, read_batches
from bifrons.diagnostics.cuts import CutBatch, cut_to_line, read_cuts
from bifrons.diagnostics.gradients import diagnose_gradients
from bifrons.diagnostics.intervention import intervene
from bifrons.diagnostics.recommendation import recommend
from bifrons.diagnostics.summary import COSINE_MARGIN, as_tests, summarise_gradients
from bifrons.diagnostics.token_fit import fit_tokens
from bifrons.protocol import AdapterSettings, UnifiedModel
from bifrons.records import GenerationPair, UnderstandingPair, pairs_hash, read_json, run_key, write_json, write_text

ORDER_VERSION = 1  # part of the key; raise it when the same settings give other batches
Line = TypeVar("Line", Batch, CutBatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisSettings:
    """All that defines a diagnosis besides model, pairs and the number of batches. The adapter is fresh and thrown
    away.
    """

    rank: int = 64
    alpha: float = 128.0
    beta: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise ValueError(f"beta is {self.beta}; it has to be above 0")

    @property
    def adapter(self) -> AdapterSettings:
        return AdapterSettings(rank=self.rank, alpha=self.alpha, dropout=0.0, seed=self.seed)


def run_diagnosis(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    folder: Path,
    *,
    settings: DiagnosisSettings = DiagnosisSettings(),
    batches: int = 200,
    cut_batches: int = 0,
    margin: float = COSINE_MARGIN,
    on_batch: Callable[[str, int], None] | None = None,
) -> dict[str, Any]:
    """Diagnose a model in a folder, and go on where an earlier call was stopped. Returns what `diagnosis.json` holds.

    `cut_batches` above 0 adds the intervention on token counts. `on_batch` is told the part, `gradients` or
    `intervention`, and how many of its batches are done. Raises ValueError for a folder that holds another diagnosis,
    and for a model that has an adapter already.
    """
    definition = define(model, understanding, generation, settings)
    key = open_folder(folder, definition)
    report = on_batch or untold
    files = {"gradients": folder / "batches.jsonl", "intervention": folder / "cuts.jsonl"}
    done, cut = read_batches(files["gradients"]), read_cuts(files["intervention"])
    if len(done) < batches or len(cut) < cut_batches:
        model.add_adapter(settings.adapter)
        try:
            rest = {"beta": settings.beta, "seed": settings.seed}
            if len(done) < batches:
                keep = appender(
                    files["gradients"], [batch_to_line(b) for b in done], batch_to_line, "gradients", report
                )
                done = diagnose_gradients(
                    model, understanding, generation, batches=batches, done=done, on_batch=keep, **rest
                )
            if len(cut) < cut_batches:
                keep_cut = appender(
                    files["intervention"], [cut_to_line(c) for c in cut], cut_to_line, "intervention", report
                )
                cut = intervene(
                    model, understanding, generation, batches=cut_batches, done=cut, on_batch=keep_cut, **rest
                )
        finally:
            model.remove_adapter()
    value = diagnosis_json(done[:batches], margin) | {
        "key": key,
        "definition": definition,
        "model": model.identity.name,
    }
    write_json(folder / "diagnosis.json", value)
    if cut_batches:
        write_json(folder / "intervention.json", {"key": key, **intervention_json(cut[:cut_batches])})
    return value


def untold(part: str, done: int) -> None:
    """Nobody watches."""


def define(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    settings: DiagnosisSettings,
) -> dict[str, Any]:
    return {
        "order": ORDER_VERSION,
        "settings": asdict(settings),
        **model.identity.scores_by,
        "pairs": [pairs_hash(list(understanding)), pairs_hash(list(generation))],
    }


def open_folder(folder: Path, definition: dict[str, Any]) -> str:
    """Raises ValueError when the folder holds another diagnosis: nothing in it is overwritten."""
    key, path = run_key(definition), folder / "config.json"
    if path.is_file():
        if read_json(path).get("key") != key:
            raise ValueError(f"{folder}: holds another diagnosis; give a new folder or remove this one")
    else:
        write_json(path, {"key": key, **definition})
    return key


def appender(
    path: Path, lines: list[str], to_line: Callable[[Line], str], part: str, report: Callable[[str, int], None]
) -> Callable[[Line], None]:
    """A function that adds a line a batch. The file is first written anew, without a line that a kill cut short."""
    write_text(path, "".join(f"{line}\n" for line in lines))

    def keep(batch: Line) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{to_line(batch)}\n")
        report(part, batch.batch + 1)

    return keep


def diagnosis_json(batches: Sequence[Batch], margin: float = COSINE_MARGIN) -> dict[str, Any]:
    """The layout of `diagnosis.json`: the batches' Gramians, the statistics, and the recommendation."""
    summary = summarise_gradients(batches, margin=margin)
    return {
        "inter_task": [asdict(b.total) | {"layers": [asdict(layer) for layer in b.layers]} for b in batches],
        "intra_understanding": [
            c for b in batches if b.understanding and (c := b.understanding.total.cosine) is not None
        ],
        "intra_generation": [c for b in batches if b.generation and (c := b.generation.total.cosine) is not None],
        "zero_a": None if summary.largest_a is None else summary.largest_a == 0,
        "tests": as_tests(summary),
        "statistics": summary.as_json(),
        "recommendation": asdict(recommend(summary)),
    }


def intervention_json(batches: Sequence[CutBatch]) -> dict[str, Any]:
    """The layout of `intervention.json`: every batch's norms, and the fitted law."""
    return {"batches": [json.loads(cut_to_line(b)) for b in batches], "fit": fit_tokens(batches).as_json()}


def seconds_a_batch(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    settings: DiagnosisSettings,
) -> tuple[float, float]:
    """How long a batch of the diagnosis and one of the intervention take here: the second of two of each is timed."""
    model.add_adapter(settings.adapter)
    try:
        clock: list[float] = []
        diagnose_gradients(
            model, understanding, generation, batches=2, on_batch=lambda _: clock.append(time.monotonic())
        )
        intervene(model, understanding, generation, batches=2, on_batch=lambda _: clock.append(time.monotonic()))
    finally:
        model.remove_adapter()
    return clock[1] - clock[0], clock[3] - clock[2]

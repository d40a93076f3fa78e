"""Runs what is missing of a study: pairs, diagnosis, cells; then results, gallery and the study's own record."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bifrons.diagnostics import diagnose_gradients
from bifrons.merge import soup
from bifrons.models import load
from bifrons.protocol import AdapterSettings, UnifiedModel
from bifrons.records import StepRecord, Task, pairs_hash, read_json, read_steps, run_key, write_json
from bifrons.scorers import LengthConstants
from bifrons.scorers.clip import ClipScorer, load_clip
from bifrons.study.cells import Cell, cells_of
from bifrons.study.config import StudyConfig
from bifrons.study.data import StudyData, load_data
from bifrons.study.evaluation import evaluate_model, separate
from bifrons.study.gallery import write_gallery
from bifrons.study.progress import StudyProgress
from bifrons.study.record import write_study_record
from bifrons.study.results import write_results
from bifrons.training import Recipe, align


@dataclass(slots=True)
class Outcome:
    """What became of a cell. `folder` is empty for cells that are put together from others."""

    cell: Cell
    status: str
    reason: str = ""
    key: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """All that running a cell needs."""

    config: StudyConfig
    folder: Path
    model: UnifiedModel
    data: StudyData
    clip: ClipScorer
    progress: StudyProgress
    constants: LengthConstants | None = None
    outcomes: dict[Cell, Outcome] = field(default_factory=dict)


def run_study(config: StudyConfig, name: str, out: Path, *, progress: bool = True) -> tuple[Path, list[Outcome]]:
    """Run the study `name` in `out/name`; what was done before is not done again. The folder, and what became of each
    cell.

    Raises ValueError when another process runs the same study, and for what its files and settings get wrong.
    """
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{folder}: another process runs this study") from None
    try:
        with StudyProgress(shown=progress) as shown:
            return folder, run_locked(config, name, folder, shown)
    finally:
        lock.release()


def run_locked(config: StudyConfig, name: str, folder: Path, progress: StudyProgress) -> list[Outcome]:
    progress.say(f"loading {config.model}")
    model = load(config.model, revision=config.revision)
    curation, clip = load_clip(config.data.curation_clip), load_clip(config.evaluation.clip)
    if curation.fingerprint == clip.fingerprint:
        raise ValueError(
            "data.curation_clip and evaluation.clip have the same weights: what built the data may not judge it"
        )
    data = load_data(config, model, folder / "pairs", progress.say)
    diagnose(config, model, data, folder, progress)
    context = Context(config, folder, model, data, clip, progress)
    cells = cells_of(config)
    progress.start(len(cells))
    for cell in cells:
        progress.cell(cell.name)
        context.outcomes[cell] = run_cell(context, cell)
        progress.done(cell.name, context.outcomes[cell].reason)
    outcomes = list(context.outcomes.values())
    write_results(name, folder, outcomes, model.identity)
    write_gallery(config, folder, outcomes, model, data)
    write_study_record(name, config, folder, outcomes, model.identity, data)
    return outcomes


def run_cell(context: Context, cell: Cell) -> Outcome:
    """One cell, whatever happens in it: a failure becomes its reason, and the study goes on."""
    for need in cell.needs:
        if context.outcomes[need].status != "done":
            return Outcome(cell, "missing", f"needs {need.name}, which is {context.outcomes[need].status}")
    try:
        return WORK[cell.kind](context, cell)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        return Outcome(cell, "failed", reason)
    finally:
        context.model.remove_adapter()


def run_base(context: Context, cell: Cell) -> Outcome:
    key = run_key({"base": context.model.identity.fingerprint})
    found = evaluated(context, cell, key)
    context.constants = LengthConstants(**found["constants"])
    return finish(context, cell, key, found)


def run_train(context: Context, cell: Cell) -> Outcome:
    recipe = recipe_of(context, cell)
    data: dict[Task, Any] = {"understanding": context.data.understanding, "generation": context.data.generation}
    tasks = recipe.make().tasks
    hashes: dict[Task, str] = {task: pairs_hash(data[task]) for task in tasks}
    key = run_key(recipe.definition(context.model.identity, hashes))
    folder = context.folder / key
    if not (folder / "record.json").is_file():
        mark(folder, cell, key, "running")
        show: Callable[[StepRecord], None] = context.progress.stepper(recipe.steps)
        align(
            context.model,
            **{task: data[task] for task in tasks},  # type: ignore[arg-type]
            recipe=recipe,
            out=folder,
            reference_cache=context.folder / "reference",
            on_step=show,
            progress=False,
        )
    return finish(context, cell, key, evaluated(context, cell, key))


def recipe_of(context: Context, cell: Cell) -> Recipe:
    settings = context.config.training
    strategy_settings: dict[str, float] = {}
    if cell.method == "fixed_weight":
        strategy_settings = held_weights(context.folder / context.outcomes[cell.needs[0]].key / "steps.jsonl")
    return Recipe(
        strategy=cell.method,
        strategy_settings=strategy_settings,
        steps=settings.steps,
        pairs_per_step=settings.pairs_per_step,
        beta_understanding=settings.beta,
        beta_generation=settings.beta,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        clip_mode=settings.clip_mode,
        adapter=AdapterSettings(rank=settings.rank, alpha=settings.alpha, dropout=settings.dropout, seed=cell.seed),
        seed=cell.seed,
    )


def held_weights(steps: Path) -> dict[str, float]:
    """The median weights of the second half of a run."""
    weights = [step.weights for step in read_steps(steps)]
    second = weights[len(weights) // 2 :]
    return {
        "understanding": statistics.median(w.understanding for w in second),
        "generation": statistics.median(w.generation for w in second),
    }


def run_soup(context: Context, cell: Cell) -> Outcome:
    weight = dict(cell.setting)["weight"]
    keys = [context.outcomes[need].key for need in cell.needs]
    key = run_key({"soup": keys, "weight": weight})
    folder = context.folder / key
    if not (folder / "adapter" / "adapter_config.json").is_file():
        soup(*(context.folder / k / "adapter" for k in keys), weight, folder / "adapter")  # type: ignore[misc]
    return finish(context, cell, key, evaluated(context, cell, key))


def run_separate(context: Context, cell: Cell) -> Outcome:
    understanding, generation = (context.outcomes[need] for need in cell.needs)
    return Outcome(cell, "done", evaluation=separate(understanding.evaluation, generation.evaluation))


WORK: dict[str, Callable[[Context, Cell], Outcome]] = {
    "base": run_base,
    "train": run_train,
    "soup": run_soup,
    "separate": run_separate,
}


def evaluated(context: Context, cell: Cell, key: str) -> dict[str, Any]:
    base = cell.kind == "base"
    if not base and context.constants is None:
        raise ValueError("the base could not be evaluated, so nothing can be scored against it")
    folder = context.folder / key
    return evaluate_model(
        context.model,
        None if base else folder / "adapter",
        context.data.evaluation,
        context.config.evaluation,
        context.clip,
        seed=cell.seed,
        constants=None if base else context.constants,
        folder=folder,
        report=context.progress.asker(len(context.data.evaluation)),
    )


def mark(folder: Path, cell: Cell, key: str, status: str) -> None:
    record = {"status": status, "method": cell.method, "seed": cell.seed, "setting": dict(cell.setting), "key": key}
    write_json(folder / "status.json", record)


def finish(context: Context, cell: Cell, key: str, evaluation: dict[str, Any]) -> Outcome:
    mark(context.folder / key, cell, key, "done")
    return Outcome(cell, "done", key=key, evaluation=evaluation)


def diagnose(config: StudyConfig, model: UnifiedModel, data: StudyData, folder: Path, progress: StudyProgress) -> None:
    """Gradients of the untrained model, on a fresh adapter that is thrown away; kept in `diagnosis.json`."""
    path = folder / "diagnosis.json"
    settings = config.training
    definition = {
        "batches": config.diagnosis.batches,
        "rank": settings.rank,
        "alpha": settings.alpha,
        "beta": settings.beta,
        "model": model.identity.fingerprint,
        "pairs": [pairs_hash(data.understanding), pairs_hash(data.generation)],
    }
    key = run_key(definition)
    if config.diagnosis.batches == 0 or (path.is_file() and read_json(path).get("key") == key):
        return
    progress.say(f"gradients of the untrained model, {config.diagnosis.batches} batches")
    model.add_adapter(AdapterSettings(rank=settings.rank, alpha=settings.alpha, dropout=0.0))
    try:
        found = diagnose_gradients(
            model, data.understanding, data.generation, batches=config.diagnosis.batches, beta=settings.beta
        )
    finally:
        model.remove_adapter()
    write_json(path, {"key": key, **found.as_json()})

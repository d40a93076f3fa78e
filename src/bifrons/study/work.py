"""What running one cell means, for each kind of cell."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bifrons.merge import soup
from bifrons.protocol import AdapterSettings
from bifrons.records import StepRecord, Task, pairs_hash, read_steps, run_key, write_json
from bifrons.scorers import LengthConstants
from bifrons.study.bench import Bench
from bifrons.study.cells import Cell
from bifrons.study.config import TAKES_INTERVAL, TrainingSection
from bifrons.study.evaluation import evaluate_model, separate
from bifrons.training import Recipe, align


@dataclass(slots=True)
class Outcome:
    """What became of a cell. `key` is empty for cells that are put together from others."""

    cell: Cell
    status: str
    reason: str = ""
    key: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)


class Watcher(Protocol):
    """Who is told how far a cell is."""

    def stepper(self, steps: int) -> Callable[[StepRecord], None]: ...

    def asker(self, num_items: int) -> Callable[[int], None]: ...


@dataclass(slots=True)
class Context:
    """All that running a cell needs. `constants` are the length constants of each model's base."""

    bench: Bench
    progress: Watcher
    constants: dict[str, LengthConstants] = field(default_factory=dict)
    outcomes: dict[Cell, Outcome] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.bench.folder


def run_cell(context: Context, cell: Cell) -> Outcome:
    """One cell, whatever happens in it: a failure becomes its reason, and the study goes on."""
    if missing := unmet(context.outcomes, cell):
        return missing
    try:
        return WORK[cell.kind](context, cell)
    except Exception as error:
        return failure(cell, error)
    finally:
        if context.bench.loaded is not None:
            context.bench.loaded.remove_adapter()


def unmet(outcomes: dict[Cell, Outcome], cell: Cell) -> Outcome | None:
    """The outcome of a cell that cannot be run, because one that it needs is not done."""
    for need in cell.needs:
        if outcomes[need].status != "done":
            return Outcome(cell, "missing", f"needs {need.name}, which is {outcomes[need].status}")
    return None


def failure(cell: Cell, error: Exception) -> Outcome:
    text = str(error).splitlines()[0] if str(error) else "no message"
    return Outcome(cell, "failed", f"{type(error).__name__}: {text}")


def run_base(context: Context, cell: Cell) -> Outcome:
    model = context.bench.model(cell.model)
    key = run_key({"base": model.identity.fingerprint})
    found = evaluated(context, cell, key)
    context.constants[cell.model] = LengthConstants(**found["constants"])
    return finish(context, cell, key, found)


def run_train(context: Context, cell: Cell) -> Outcome:
    model = context.bench.model(cell.model)
    config = context.bench.config.under(cell.model, cell.setting)
    pairs = context.bench.data(config)
    recipe = recipe_of(context, cell, config.training)
    data: dict[Task, Any] = {"understanding": pairs.understanding, "generation": pairs.generation}
    tasks = recipe.make().tasks
    hashes: dict[Task, str] = {task: pairs_hash(data[task]) for task in tasks}
    key = run_key(recipe.definition(model.identity, hashes))
    folder = context.folder / key
    if not (folder / "record.json").is_file():
        mark(folder, cell, key, "running")
        align(
            model,
            **{task: data[task] for task in tasks},  # type: ignore[arg-type]
            recipe=recipe,
            out=folder,
            reference_cache=context.folder / "reference",
            gradient_checkpointing=config.training.gradient_checkpointing,
            compile=config.training.compile,
            on_step=context.progress.stepper(recipe.steps),
            progress=False,
        )
    return finish(context, cell, key, evaluated(context, cell, key))


def recipe_of(context: Context, cell: Cell, settings: TrainingSection) -> Recipe:
    strategy_settings: dict[str, float] = {}
    if cell.method == "fixed_weight":
        strategy_settings = held_weights(context.folder / context.outcomes[cell.needs[0]].key / "steps.jsonl")
    elif settings.interval is not None and cell.method in TAKES_INTERVAL:
        strategy_settings = {"interval": settings.interval}
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
        loss_understanding=settings.loss,
        loss_generation=settings.loss,
        coupling=settings.coupling,
        paired=settings.paired,
        accumulate=settings.accumulate,
        adapter=AdapterSettings(
            rank=settings.rank,
            alpha=settings.alpha,
            dropout=0.0 if settings.full else settings.dropout,
            seed=cell.seed,
            full=settings.full,
        ),
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
    keys = [context.outcomes[need].key for need in cell.needs]
    assert cell.weight is not None
    key = run_key({"soup": keys, "weight": cell.weight})
    folder = context.folder / key
    if not (folder / "adapter" / "adapter_config.json").is_file():
        soup(*(context.folder / k / "adapter" for k in keys), cell.weight, folder / "adapter")  # type: ignore[misc]
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
    constants = None if base else context.constants.get(cell.model)
    if not base and constants is None:
        raise ValueError("the base could not be evaluated, so nothing can be scored against it")
    folder = context.folder / key
    data = context.bench.data(context.bench.config.under(cell.model, ()))  # the same for all cells of a model
    return evaluate_model(
        context.bench.model(cell.model),
        None if base else folder / "adapter",
        data.evaluation,
        context.bench.config.evaluation,
        context.bench.clip,
        seed=cell.seed,
        constants=constants,
        folder=folder,
        pairs={"understanding": data.understanding, "generation": data.generation},
        report=context.progress.asker(len(data.evaluation)),
    )


def mark(folder: Path, cell: Cell, key: str, status: str) -> None:
    record = {"status": status, "method": cell.method, "seed": cell.seed, "setting": dict(cell.shown), "key": key}
    write_json(folder / "status.json", record)


def finish(context: Context, cell: Cell, key: str, evaluation: dict[str, Any]) -> Outcome:
    mark(context.folder / key, cell, key, "done")
    return Outcome(cell, "done", key=key, evaluation=evaluation)

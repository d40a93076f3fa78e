"""Runs what is missing of a study: pairs, diagnosis, controls, cells; then results, gallery and the study's record."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from bifrons.claims import write_claims
from bifrons.diagnostics.store import DiagnosisSettings, define, run_diagnosis
from bifrons.records import read_json, run_key, write_json
from bifrons.study.bench import Bench
from bifrons.study.cells import Cell, cells_of
from bifrons.study.config import INTERVENTION_BATCHES, StudyConfig
from bifrons.study.controls import run_controls
from bifrons.study.gallery import write_gallery
from bifrons.study.jobs import crew, run_together
from bifrons.study.length import write_length
from bifrons.study.progress import StudyProgress
from bifrons.study.record import write_study_record
from bifrons.study.results import write_results
from bifrons.study.work import Context, Outcome, failure, run_cell


def run_study(
    config: StudyConfig, name: str, out: Path, *, progress: bool = True, jobs: int = 1
) -> tuple[Path, list[Outcome]]:
    """Run the study `name` in `out/name`; what was done before is not done again. The folder, and what became of each
    cell.

    With `jobs` above 1 independent cells run in that many processes of one thread each; their results are those of one
    process with one thread. Raises ValueError when another process runs the same study, and for what its files and
    settings get wrong.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; it has to be at least 1")
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{folder}: another process runs this study") from None
    try:
        with StudyProgress(shown=progress, jobs=jobs) as shown:
            return folder, run_locked(config, name, folder, shown, jobs)
    finally:
        lock.release()


def run_locked(config: StudyConfig, name: str, folder: Path, progress: StudyProgress, jobs: int) -> list[Outcome]:
    bench = Bench(config, folder, progress.say)
    context = Context(bench, progress)
    cells = cells_of(config)
    progress.start(len(cells))
    for model in config.all_models:
        own = config.under(model, ())
        of_model = [cell for cell in cells if cell.model == model]
        try:
            bench.data(own)
            diagnose(bench, own, progress)
        except Exception as error:
            if model == config.all_models[0]:
                raise
            context.outcomes |= {cell: failure(cell, error) for cell in of_model}  # the first model's results stand
            progress.say(f"{model}: {error}")
            continue
        if model == config.all_models[0]:
            run_controls(bench, own, progress.say)
        if jobs == 1:
            run_here(context, of_model, progress)
        else:
            run_with(context, of_model, progress, jobs)
    outcomes = [context.outcomes[cell] for cell in cells]
    first = config.under(config.all_models[0], ())
    loaded, data = bench.model(first.model), bench.data(first)
    write_results(name, config, folder, outcomes)
    write_length(folder, outcomes)
    write_gallery(config, folder, [o for o in outcomes if o.cell.model == first.model], loaded, data)
    write_study_record(name, config, folder, outcomes, loaded.identity, data)
    write_claims(folder, config.claims, config.margin)
    return outcomes


def run_here(context: Context, cells: list[Cell], progress: StudyProgress) -> None:
    for cell in cells:
        progress.cell(cell.name)
        context.outcomes[cell] = run_cell(context, cell)
        progress.done(cell.name, context.outcomes[cell].reason)


def run_with(context: Context, cells: list[Cell], progress: StudyProgress, jobs: int) -> None:
    """The base, and all data, in this process; the rest in `jobs` others."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run_here(context, [cell for cell in cells if cell.kind == "base"], progress)
        ready: list[Cell] = []
        for cell in cells:
            if cell.kind == "base":
                continue
            try:
                context.bench.data(context.bench.config.under(cell.model, cell.setting))
                ready.append(cell)
            except Exception as error:
                context.outcomes[cell] = failure(cell, error)
                progress.done(cell.name, context.outcomes[cell].reason)
        config, folder = context.bench.config, context.folder
        with crew(config, folder, min(jobs, len(ready))) as workers:
            run_together(workers, ready, context.outcomes, context.constants, config, folder, progress)
    finally:
        torch.set_num_threads(before)


def diagnose(bench: Bench, config: StudyConfig, progress: StudyProgress) -> None:
    """Gradients of the untrained model, on a fresh adapter that is thrown away; kept in `diagnosis.json`, or in
    `diagnosis-MODEL.json` for a model that is not the study's first.

    Where it is asked for, the intervention on token counts stands beside it under a like name. Batches stay in
    `diagnosis/`, where a killed study goes on with them.
    """
    asked = config.diagnosis
    if asked.batches == 0:
        return
    path = bench.folder / diagnosis_name(bench.config, config.model)
    model, data = bench.model(config.model), bench.data(config)
    training = config.training
    settings = DiagnosisSettings(rank=training.rank, alpha=training.alpha, beta=training.beta)
    definition = define(model, data.understanding, data.generation, settings)
    cut_batches = min(asked.batches, INTERVENTION_BATCHES) if asked.intervention else 0
    key = run_key(definition | {"batches": asked.batches, "cut_batches": cut_batches})
    if path.is_file() and read_json(path).get("key") == key:
        return
    progress.say(f"gradients of the untrained model, {asked.batches} batches")
    kept = bench.folder / "diagnosis" / run_key(definition)
    found = run_diagnosis(
        model,
        data.understanding,
        data.generation,
        kept,
        settings=settings,
        batches=asked.batches,
        cut_batches=cut_batches,
    )
    beside = path.with_name(path.name.replace("diagnosis", "intervention", 1))
    beside.unlink(missing_ok=True)
    if cut_batches:
        write_json(beside, read_json(kept / "intervention.json"))
    write_json(path, found | {"key": key})


def diagnosis_name(config: StudyConfig, model: str) -> str:
    return "diagnosis.json" if model == config.all_models[0] else f"diagnosis-{Path(model).name}.json"

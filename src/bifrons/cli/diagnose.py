"""`bifrons diagnose`: a model and two pair sets, or a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bifrons.cli.options import Options, named

if TYPE_CHECKING:
    from bifrons.diagnostics.store import DiagnosisSettings


def diagnose(
    model: Annotated[
        str, typer.Option(help="`organism`, a local folder in the Hugging Face layout, or a hub name.")
    ] = "organism",
    option: Options = None,
    understanding: Annotated[Path | None, typer.Option(help="Understanding pairs, Parquet.")] = None,
    generation: Annotated[Path | None, typer.Option(help="Generation pairs, Parquet.")] = None,
    batches: Annotated[int, typer.Option(help="Mini-batches of one pair a task.")] = 200,
    intervention: Annotated[
        int, typer.Option(help="Batches that score the first tokens alone, to see what token counts do; 0 is none.")
    ] = 0,
    run: Annotated[Path | None, typer.Option(help="A run's folder: its dynamics, from its step records.")] = None,
    replay: Annotated[
        str, typer.Option(help="With --run: weights of these strategies along it, `pcgrad,gradient_weighted`.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Where figures and page go; a diagnosis resumes there.")] = None,
    rank: Annotated[int, typer.Option(help="Rank of the fresh LoRA; alpha is twice as much.")] = 64,
    beta: Annotated[float, typer.Option(help="DPO's beta, of both tasks.")] = 0.1,
    margin: Annotated[float, typer.Option(help="A mean cosine within this of 0 counts as orthogonal.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of adapter and order of pairs.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Time two batches and tell how long all would take.")
    ] = False,
) -> None:
    """See whether the two tasks fight, and which weights to use: without training, or along a stored run."""
    if run is not None:
        if understanding is not None or generation is not None or dry_run:
            raise ValueError("--run reads a stored run and takes no pairs and no --dry-run")
        stored_run(run, [name.strip() for name in replay.split(",") if name.strip()], out, margin)
        return
    if replay:
        raise ValueError("--replay needs --run: it follows the step records of a stored run")
    if understanding is None or generation is None:
        raise ValueError("give --understanding and --generation, two files of pairs, or --run, a stored run")
    from bifrons.diagnostics.store import DiagnosisSettings
    from bifrons.models import load
    from bifrons.records import GenerationPair, UnderstandingPair, read_pairs

    pairs: dict[str, Any] = {}
    for path, kind in ((understanding, UnderstandingPair), (generation, GenerationPair)):
        pairs[kind.__name__] = found = read_pairs(path)
        if not isinstance(found[0], kind):
            raise ValueError(f"{path}: holds {type(found[0]).__name__}s, and {kind.__name__}s are needed")
    settings = DiagnosisSettings(rank=rank, alpha=2 * rank, beta=beta, seed=seed)
    both = pairs["UnderstandingPair"], pairs["GenerationPair"]
    loaded = load(model, options=named(option))
    if dry_run:
        estimate(loaded, both, settings, batches, intervention)
    else:
        fresh(loaded, both, settings, batches, intervention, margin, out or Path("runs/diagnosis"))


def fresh(
    loaded: Any, pairs: tuple[Any, Any], settings: DiagnosisSettings, batches: int, cuts: int, margin: float, out: Path
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from bifrons.diagnostics.store import run_diagnosis
    from bifrons.report import write_diagnosis

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as bar:
        tasks = {"gradients": bar.add_task("gradients", total=batches)}
        if cuts:
            tasks["intervention"] = bar.add_task("intervention", total=cuts, start=False)

        def show(part: str, done: int) -> None:
            bar.start_task(tasks[part])
            bar.update(tasks[part], completed=done)

        found = run_diagnosis(
            loaded, *pairs, out, settings=settings, batches=batches, cut_batches=cuts, margin=margin, on_batch=show
        )
    for sentence in found["recommendation"]["sentences"]:
        typer.echo(sentence)
    typer.echo(f"page: {write_diagnosis(out).resolve()}")


def estimate(loaded: Any, pairs: tuple[Any, Any], settings: DiagnosisSettings, batches: int, cuts: int) -> None:
    from bifrons.diagnostics.store import seconds_a_batch

    each, cut = seconds_a_batch(loaded, *pairs, settings)
    total = each * batches + cut * cuts
    typer.echo(f"{batches} batches of {each:.2f} s and {cuts} of the intervention, {cut:.2f} s each")
    typer.echo(f"about {total / 60:.1f} minutes here; nothing was run")


def stored_run(folder: Path, names: list[str], out: Path | None, margin: float) -> None:
    """Needs no model and no torch."""
    from bifrons.diagnostics import replay as replays
    from bifrons.diagnostics.dynamics import run_dynamics
    from bifrons.records import read_json, read_steps, write_json
    from bifrons.report import write_diagnosis

    file = folder / "steps.jsonl"
    if not file.is_file():
        raise ValueError(f"{folder}: holds no steps.jsonl, so it is no run that was trained")
    steps = read_steps(file)
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    name = str(config.get("recipe", {}).get("strategy", "the run"))
    found = [replays.recorded(steps, name), *(replays.replay_steps(steps, other) for other in names)]
    target = out or folder / "diagnosis"
    series = {
        "cosine": [None if step.gramian is None else step.gramian.cosine for step in steps],
        "ratio": [None if step.gramian is None else step.gramian.generation_over_understanding for step in steps],
    }
    along = run_dynamics(steps, margin=margin)
    write_json(target / "dynamics.json", {"strategy": name, "series": series, **along.as_json()})
    write_json(target / "replay.json", replays.as_json(found))
    typer.echo(f"cosine: {along.verdict}")
    for each in found[1:]:
        text = f"w_U {each.median('understanding'):.3f}  w_G {each.median('generation'):.3f}"
        typer.echo(
            f"{each.strategy:28} {text}  (medians over {len(steps)} steps; {replays.CAVEAT.lower().rstrip('.')})"
        )
    typer.echo(f"page: {write_diagnosis(target).resolve()}")

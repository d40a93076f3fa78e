"""The verbs of `bifrons`. A user's mistake is one line on standard error and exit code 2."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bifrons.cli import export, hermesflow, models, organism, pairs
from bifrons.cli.align import align
from bifrons.cli.diagnose import diagnose
from bifrons.cli.evaluate import evaluate
from bifrons.cli.options import Options, named

app = typer.Typer(
    help="Align both faces of a unified multimodal model with preferences, and see whether they fight.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(export.export)
app.command()(models.models)
app.add_typer(pairs.app, name="pairs", help="Build, check and show preference pairs.")
app.command()(diagnose)
app.add_typer(hermesflow.app, name="hermesflow", help="Homologous pairs: curate, import, and measure what judges them.")
app.add_typer(organism.app, name="organism", help="Train and measure the embedded models.")
app.command()(align)
app.command()(evaluate)

Model = Annotated[str, typer.Option(help="`organism`, a local folder in the Hugging Face layout, or a hub name.")]
Adapter = Annotated[Path | None, typer.Option(help="Folder of a trained adapter.")]
Out = Annotated[Path, typer.Option(help="Where runs are kept.")]


@app.command()
def study(
    file: Annotated[Path, typer.Argument(help="The study file, TOML.")],
    out: Out = Path("runs"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a key: `--set training.steps=100`.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List cells, time and memory; run nothing.")] = False,
    jobs: Annotated[int, typer.Option(help="Run independent cells in so many processes of one thread each.")] = 1,
    choose_rate: Annotated[
        str,
        typer.Option("--choose-rate", help="Score learning rates on held-out pairs, run nothing else: `1e-4,3e-4`."),
    ] = "",
) -> None:
    """Run a study: every method, every seed, evaluation, statistics, report. What is done already is not done again."""
    from bifrons.study import check_files, estimate, read_study, run_study

    if hermesflow.is_its_study(file):
        hermesflow.study(file, out, tuple(set_ or ()), dry_run=dry_run, choose_rate=choose_rate)
        return
    config = read_study(file, tuple(set_ or ()))
    if dry_run:
        typer.echo(estimate(config, jobs))
        return
    check_files(file, config)
    if choose_rate:
        try:
            rates = [float(text) for text in choose_rate.split(",")]
        except ValueError:
            raise ValueError(f"--choose-rate {choose_rate}: it has to be numbers with commas between") from None
        from bifrons.study.rates import choose_rate as choose

        for found in choose(config, file.stem, out, rates):
            accuracies = f"accuracies {found.accuracy_understanding:.3f} {found.accuracy_generation:.3f}"
            losses = f"{found.loss_understanding:.3f} + {found.loss_generation:.3f}"
            typer.echo(f"{found.learning_rate:10g}  held-out losses {losses}  {accuracies}")
        return
    from bifrons.report import write_report

    folder, outcomes = run_study(config, file.stem, out, jobs=jobs)
    for outcome in outcomes:
        if outcome.status != "done":
            typer.echo(f"bifrons: {outcome.cell.name} is {outcome.status}: {outcome.reason}", err=True)
    typer.echo(f"report: {write_report(folder).resolve()}")
    if any(outcome.status != "done" for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def merge(
    understanding: Annotated[Path, typer.Argument(help="Adapter trained on understanding.")],
    generation: Annotated[Path, typer.Argument(help="Adapter trained on generation.")],
    out: Annotated[Path, typer.Option(help="Folder of the new adapter.")],
    weight: Annotated[float, typer.Option(help="Share of the generation side, 0 to 1.")] = 0.5,
) -> None:
    """Interpolate two adapters exactly in their effective update (a rewarded soup)."""
    from bifrons.merge import soup

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    soup(understanding, generation, weight, out)
    typer.echo(f"adapter: {out.resolve()}")


@app.command()
def sample(
    prompt: Annotated[str | None, typer.Option(help="Draw this.")] = None,
    image: Annotated[Path | None, typer.Option(help="Ask about this image.")] = None,
    question: Annotated[str, typer.Option(help="What is asked about the image.")] = "what is in the picture?",
    model: Model = "organism",
    option: Options = None,
    adapter: Adapter = None,
    out: Annotated[Path, typer.Option(help="Where the drawing goes, PNG.")] = Path("drawing.png"),
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 1.0,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance of drawing; 1 is none, unset is the checkpoint's own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of sampling.")] = 0,
) -> None:
    """Draw a prompt, or answer a question about an image."""
    from bifrons.models import load
    from bifrons.protocol import Sampling

    if (prompt is None) == (image is None):
        raise ValueError("give either --prompt, to draw, or --image, to ask about it")
    loaded = load(model, adapter=adapter, options=named(option))
    sampling = Sampling(temperature=temperature, guidance=guidance, seed=seed)
    if prompt is not None:
        loaded.draw([prompt], sampling)[0].image.save(out)
        typer.echo(f"drawing: {out.resolve()}")
    else:
        typer.echo(loaded.answer([image], [question], sampling)[0].text)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A study's folder, such as runs/demo.")]) -> None:
    """Write the report of a study again from its records; needs no model."""
    from bifrons.report import write_report

    typer.echo(f"report: {write_report(folder).resolve()}")


def main() -> None:
    """Entry point: a ValueError is a user's mistake, told in one line.

    OpenMP reads how long its threads spin before torch is imported. By default for milliseconds, and where another
    program has one of the cores, two spinning threads are twenty times slower than one.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # tens of microseconds
    try:
        app()
    except (ValueError, OSError) as error:
        sys.stderr.write(f"bifrons: {' '.join(str(error).split())}\n")
        sys.exit(2)

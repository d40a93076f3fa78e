"""`bifrons organism train / measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Option(help="Which embedded model: `organism`, `organism-small` or `showo-organism`.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Where checkpoints and the log go; a run resumes there.")] = Path(
        "runs/organism"
    ),
    weights: Annotated[Path, typer.Option(help="Where the finished folders go.")] = Path("runs/organism/weights"),
    only: Annotated[
        str,
        typer.Option(
            help="body, clip, preference or all; last: only the last stage of the body, from the shipped weights."
        ),
    ] = "all",
    name: Name = "organism",
) -> None:
    """Train the embedded models from nothing: an hour or two on two cores, with checkpoints."""
    from bifrons.organism.recipe import RECIPES
    from bifrons.organism.train import train as run

    if name not in RECIPES:
        raise ValueError(f"no embedded model {name!r}; there are {', '.join(RECIPES)}")
    run(out, weights, RECIPES[name], stages=None if only == "all" else (only,))
    typer.echo(f"weights: {weights.resolve()}")


@app.command()
def measure(
    card: Annotated[Path | None, typer.Option(help="Write the model card, Markdown, to this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
    scenes: Annotated[int, typer.Option(help="Held-out scenes for each figure.")] = 400,
    name: Name = "organism",
) -> None:
    """Measure the embedded models against their quality bars: reading, drawing, tokens, retrieval."""
    from bifrons.models import load
    from bifrons.organism.card import bar_text, card_text
    from bifrons.organism.quality import measure as run
    from bifrons.organism.recipe import RECIPES
    from bifrons.organism.words import world_words
    from bifrons.records import write_json, write_text

    if name not in RECIPES:
        raise ValueError(f"no embedded model {name!r}; there are {', '.join(RECIPES)}")
    figures = run(name, num_scenes=scenes)
    for figure, (value, low, high) in figures.items():
        holds = "" if low == float("-inf") else "holds" if low <= value <= high else "MISSED"
        typer.echo(f"{figure:44} {value:8.4f}   bar {bar_text(low, high):18} {holds}")
    if out is not None:
        write_json(out, {figure: value for figure, (value, _, _) in figures.items()})
    if card is not None:
        write_text(card, card_text(load(name).identity, figures, scenes, len(world_words())))

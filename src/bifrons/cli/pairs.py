"""`bifrons pairs build / check / show`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


class Kind(StrEnum):
    """The builders."""

    understanding = "understanding"
    real_against_generated = "real_against_generated"
    model_against_model = "model_against_model"
    planted = "planted"


@app.command()
def build(
    kind: Annotated[Kind, typer.Argument(help="What to build.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    count: Annotated[int, typer.Option(help="Scenes to start from; what is dropped is counted.")] = 400,
    model: Annotated[str, typer.Option(help="Whose responses are compared.")] = "organism",
    clip: Annotated[str, typer.Option(help="The CLIP that ranks drawings.")] = "scenes-curation",
    seed: Annotated[int, typer.Option(help="Seed of scenes and sampling.")] = 0,
) -> None:
    """Build pairs from scenes with the model's own responses."""
    from bifrons import pairs
    from bifrons.models import load
    from bifrons.records import write_pairs
    from bifrons.scorers.clip import load_clip
    from bifrons.sources import scene_examples

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    loaded = load(model)
    if kind is Kind.planted:
        built = pairs.planted_pairs(loaded, count, seed=seed)
    elif kind is Kind.understanding:
        built = pairs.understanding_pairs(loaded, scene_examples("pairs", count, seed), seed=seed)
    else:
        make = pairs.real_against_generated if kind is Kind.real_against_generated else pairs.model_against_model
        built = make(loaded, scene_examples("pairs", count, seed), load_clip(clip), seed=seed)
    write_pairs(out, built.pairs)
    typer.echo(f"{len(built.pairs)} of {built.asked} pairs kept: {out.resolve()}")
    for cause, number in (*built.dropped.items(), *built.notes.items()):
        typer.echo(f"  {number:6} {cause}")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Parquet files of pairs.")],
    items: Annotated[int, typer.Option(help="Evaluation scenes that must not overlap with the pairs.")] = 200,
) -> None:
    """Read pair files, refuse bad records, and refuse overlap with the evaluation scenes."""
    from bifrons.records import read_pairs
    from bifrons.sources import refuse_overlap, scene_examples

    training: dict[str, str] = {}
    for file in files:
        found = read_pairs(file)
        training |= {key: f"{file}: {pair.id}" for pair in found for key in pair.context_keys}
        kinds = sorted({pair.kind or "no kind" for pair in found})
        typer.echo(f"{file}: {len(found)} {type(found[0]).__name__}, {', '.join(kinds)}")
    refuse_overlap(training, scene_examples("evaluation", items, 0))
    typer.echo(f"no overlap with {items} evaluation scenes")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="Parquet file of pairs.")],
    count: Annotated[int, typer.Option(help="How many pairs.")] = 5,
) -> None:
    """Print the first pairs of a file."""
    from bifrons.records import UnderstandingPair, read_pairs

    for pair in read_pairs(file)[:count]:
        made = pair.provenance
        scores = (
            "" if made.chosen_score is None else f"  scores {made.chosen_score:.3g} > {made.rejected_score or 0:.3g}"
        )
        typer.echo(f"{pair.id}  [{pair.kind}]{scores}")
        if isinstance(pair, UnderstandingPair):
            typer.echo(f"  question  {pair.question}\n  chosen    {pair.chosen}\n  rejected  {pair.rejected}")
        else:
            first, second = (" ".join(map(str, codes[:12])) for codes in (pair.chosen_codes, pair.rejected_codes))
            typer.echo(f"  prompt    {pair.prompt}\n  chosen    {first} ...\n  rejected  {second} ...")

"""`bifrons pairs build / check / show / import / export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bifrons.cli.options import Options, named

app = typer.Typer(no_args_is_help=True)


class Kind(StrEnum):
    """The builders."""

    understanding = "understanding"
    real_against_generated = "real_against_generated"
    model_against_model = "model_against_model"
    planted = "planted"


class SourceKind(StrEnum):
    """Where examples come from."""

    scenes = "scenes"
    coco = "coco"
    table = "table"


class Face(StrEnum):
    """Which face a preference is for."""

    understanding = "understanding"
    generation = "generation"


From = Annotated[SourceKind, typer.Option("--source", help="Scenes, COCO files, or a table of images and captions.")]
Captions = Annotated[Path | None, typer.Option(help="COCO captions, JSON.")]
Instances = Annotated[Path | None, typer.Option(help="COCO instances, JSON: questions then have known answers.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the images.")]
Table = Annotated[str, typer.Option(help="JSON lines, CSV, Parquet, a folder, or a Hugging Face data set's name.")]
Share = Annotated[float, typer.Option(help="Share of the images that is kept for evaluation, by their content.")]
Model = Annotated[str, typer.Option(help="`organism`, a local folder in the Hugging Face layout, or a hub name.")]


@app.command()
def build(
    kind: Annotated[Kind, typer.Argument(help="What to build.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write; a build that was killed goes on.")],
    count: Annotated[int, typer.Option(help="Images to start from; what is dropped is counted.")] = 400,
    model: Model = "organism",
    option: Options = None,
    clip: Annotated[str, typer.Option(help="The CLIP that ranks drawings.")] = "scenes-curation",
    seed: Annotated[int, typer.Option(help="Seed of choice and sampling.")] = 0,
    source: From = SourceKind.scenes,
    captions: Captions = None,
    instances: Instances = None,
    images: Images = None,
    table: Table = "",
    evaluation_share: Share = 0.5,
    batch_size: Annotated[int, typer.Option(help="Responses sampled together.")] = 32,
    max_new_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 64,
    min_margin: Annotated[float, typer.Option(help="Least distance of the two scores.")] = 0.5,
) -> None:
    """Build pairs with the model's own responses, from scenes, from COCO or from a table of images and captions."""
    from bifrons import pairs
    from bifrons.cli.progress import counted
    from bifrons.models import load
    from bifrons.records import write_pairs
    from bifrons.scorers.clip import load_clip
    from bifrons.sources import Source

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    wanted = Source(
        source=source.value,  # type: ignore[arg-type]
        captions=captions,
        instances=instances,
        images=images,
        table=table,
        evaluation_share=evaluation_share,
    )
    if kind is Kind.planted and source is not SourceKind.scenes:
        raise ValueError("planted pairs are made of scenes; they have no other source")
    if count < 1:
        raise ValueError(f"--count is {count}; it has to be at least 1")
    examples = [] if kind is Kind.planted else wanted.examples("pairs", count, seed)
    loaded = load(model, options=named(option))
    samples = out.with_name(f"{out.name}.samples.jsonl")
    asked = {Kind.understanding: 2 * sum(len(e.questions) for e in examples), Kind.model_against_model: 2 * count}
    with counted(kind.value, asked.get(kind, count)) as report:
        if kind is Kind.planted:
            built = pairs.planted_pairs(loaded, count, seed=seed)
        elif kind is Kind.understanding:
            built = pairs.understanding_pairs(
                loaded,
                examples,
                min_margin=min_margin,
                max_new_tokens=max_new_tokens,
                batch_size=batch_size,
                seed=seed,
                report=report,
                samples=samples,
            )
        elif kind is Kind.real_against_generated:
            built = pairs.real_against_generated(
                loaded, examples, load_clip(clip), batch_size=batch_size, seed=seed, report=report, samples=samples
            )
        else:
            built = pairs.model_against_model(
                loaded,
                examples,
                load_clip(clip),
                min_margin=min_margin,
                batch_size=batch_size,
                seed=seed,
                report=report,
                samples=samples,
            )
    if not built.pairs:
        causes = ", ".join(f"{number} {cause}" for cause, number in built.dropped.items())
        raise ValueError(f"{out}: no pair is left of {built.asked} ({causes})")
    write_pairs(out, built.pairs)
    samples.unlink(missing_ok=True)
    typer.echo(f"{len(built.pairs)} of {built.asked} pairs kept: {out.resolve()}")
    for cause, number in (*built.dropped.items(), *built.notes.items()):
        typer.echo(f"  {number:6} {cause}")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Parquet files of pairs.")],
    items: Annotated[int, typer.Option(help="Evaluation examples that must not overlap with the pairs.")] = 200,
    source: From = SourceKind.scenes,
    captions: Captions = None,
    images: Images = None,
    table: Table = "",
    evaluation_share: Share = 0.5,
) -> None:
    """Read pair files and every image in them, refuse bad records, and refuse overlap with evaluation."""
    from bifrons.records import UnderstandingPair, read_pairs
    from bifrons.records.pictures import to_image
    from bifrons.sources import Source, refuse_overlap

    wanted = Source(
        source=source.value,  # type: ignore[arg-type]
        captions=captions,
        images=images,
        table=table,
        evaluation_share=evaluation_share,
    )
    training: dict[str, str] = {}
    for file in files:
        found = read_pairs(file)
        for pair in found:
            if isinstance(pair, UnderstandingPair):
                to_image(pair.image, f"{file}: {pair.id}")
        training |= {key: f"{file}: {pair.id}" for pair in found for key in pair.context_keys}
        kinds = sorted({pair.kind or "no kind" for pair in found})
        typer.echo(f"{file}: {len(found)} {type(found[0]).__name__}, {', '.join(kinds)}")
    refuse_overlap(training, wanted.examples("evaluation", items, 0))
    typer.echo(f"no overlap with {items} evaluation examples of {source.value}")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="Parquet file of pairs.")],
    count: Annotated[int, typer.Option(help="How many pairs.")] = 5,
    html: Annotated[Path | None, typer.Option(help="Write a page with their pictures to this file instead.")] = None,
    model: Annotated[str, typer.Option(help="Whose codes drawings are, for the page.")] = "organism",
) -> None:
    """Print the first pairs of a file, or write a page that shows them with their pictures."""
    from bifrons.records import UnderstandingPair, read_pairs, write_text

    found = read_pairs(file)
    if html is not None:
        from bifrons.models import load
        from bifrons.pairs import pairs_page

        drawn = not isinstance(found[0], UnderstandingPair)
        write_text(html, pairs_page(file.name, found, count, load(model) if drawn else None))
        typer.echo(f"page: {html.resolve()}")
        return
    for pair in found[:count]:
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


@app.command("import")
def import_(
    table: Annotated[
        str, typer.Argument(help="JSON lines, CSV, Parquet, a folder, or a Hugging Face data set's name.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    face: Annotated[Face, typer.Option(help="Answers about images, or pictures of prompts.")] = Face.understanding,
    images: Images = None,
    model: Annotated[str, typer.Option(help="Whose codes pictures become (generation only).")] = "organism",
) -> None:
    """Import preferences of your own: TRL's format (prompt, chosen, rejected, images) for understanding; prompt,
    chosen and rejected picture for generation.
    """
    from bifrons.pairs import pictured_pairs, read_trl
    from bifrons.records import write_pairs

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    if face is Face.understanding:
        found = read_trl(table, images)
        write_pairs(out, found)
        typer.echo(f"{len(found)} pairs: {out.resolve()}")
        return
    from bifrons.models import load

    built = pictured_pairs(load(model), table, images)
    write_pairs(out, built.pairs)
    typer.echo(f"{len(built.pairs)} of {built.asked} pairs: {out.resolve()}")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Parquet file of understanding pairs.")],
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, with images in a folder beside it, or .parquet.")],
    plain: Annotated[bool, typer.Option("--plain", help="Plain texts instead of conversations.")] = False,
) -> None:
    """Export understanding pairs in TRL's preference format."""
    from bifrons.pairs import write_trl
    from bifrons.records import UnderstandingPair, read_pairs

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    found = [pair for pair in read_pairs(file) if isinstance(pair, UnderstandingPair)]
    if not found:
        raise ValueError(f"{file}: holds generation pairs, and TRL's preference format has only text answers")
    write_trl(out, found, conversational=not plain)
    typer.echo(f"{len(found)} pairs: {out.resolve()}")

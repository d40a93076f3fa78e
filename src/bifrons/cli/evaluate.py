"""`bifrons evaluate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bifrons.cli.options import Options, named
from bifrons.cli.pairs import Captions, Images, Instances, Share, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from bifrons.evaluation import Metric, Scores
    from bifrons.sources import Example


DIVERGENCE_PAIRS = 64  # of each file


class AskedKind(StrEnum):
    """What a model can be asked and told to draw."""

    scenes = "scenes"
    coco = "coco"
    table = "table"
    pope = "pope"
    vqav2 = "vqav2"
    geneval = "geneval"
    dsg = "dsg"


SCENES_CLIP = "scenes-evaluation"


def evaluate(
    model: Annotated[
        str, typer.Option(help="`organism`, a local folder in the Hugging Face layout, or a hub name.")
    ] = "organism",
    option: Options = None,
    adapter: Annotated[Path | None, typer.Option(help="Folder of a trained adapter.")] = None,
    items: Annotated[int, typer.Option(help="Scenes, images, prompts, or VQAv2's questions.")] = 200,
    source: Annotated[
        AskedKind,
        typer.Option(
            help="`scenes`; `coco` and `table`, of whose images a share is kept for evaluation; or a benchmark's own "
            "files: `pope` and `vqav2` (answers), `geneval` and `dsg` (drawings)."
        ),
    ] = AskedKind.scenes,
    captions: Captions = None,
    instances: Instances = None,
    images: Images = None,
    table: Table = "",
    evaluation_share: Share = 0.5,
    file: Annotated[str, typer.Option(help="POPE, GenEval or DSG: a file, or a Hugging Face data set's name.")] = "",
    questions: Annotated[str, typer.Option(help="VQAv2's questions, JSON, or a table that holds the answers.")] = "",
    annotations: Annotated[Path | None, typer.Option(help="VQAv2's annotations, JSON.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Only these, with commas between; `module:function` adds one of your own.")
    ] = "",
    clip: Annotated[
        str,
        typer.Option(help="The CLIP that judges: embedded, a folder or a hub name; of scenes `scenes-evaluation`."),
    ] = "",
    pick_score: Annotated[str, typer.Option(help="PickScore's CLIP, a folder or a hub name.")] = "",
    inception: Annotated[str, typer.Option(help="Inception v3 for FID, a safetensors file.")] = "",
    lpips: Annotated[str, typer.Option(help="AlexNet or VGG of LPIPS, a safetensors file.")] = "",
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Pairs, Parquet, on which the adapter's divergence from its base is taken."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of sampling.")] = 0,
    responses: Annotated[
        Path | None, typer.Option(help="Keep what is sampled in this folder; it is not sampled again.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write per-item scores to this JSON file.")] = None,
) -> None:
    """Score a model, with or without an adapter, on held-out scenes, on photographs or on a benchmark: every
    metric with its 95% interval, or the reason why there is none.
    """
    from rich.console import Console

    from bifrons.evaluation import METRICS, own_metric, scored_by
    from bifrons.evaluation import evaluate as score
    from bifrons.models import load
    from bifrons.records import write_json
    from bifrons.scorers.clip import load_clip
    from bifrons.scorers.networks import picture_networks

    if items < 1:
        raise ValueError(f"--items is {items}; it has to be at least 1")
    wanted = [name.strip() for name in metrics.split(",") if name.strip()]
    own = {name: own_metric(name) for name in wanted if name not in METRICS}
    examples = asked(
        source,
        items,
        {"captions": captions, "instances": instances, "images": images, "table": table},
        {"file": file, "questions": questions, "annotations": annotations, "images": images},
        evaluation_share,
    )
    chosen = clip or (SCENES_CLIP if source is AskedKind.scenes else "")  # one of scenes cannot judge other prompts
    judge = load_clip(chosen) if chosen else None
    networks = picture_networks(judge, pick_score, inception, lpips)
    loaded = load(model, adapter=adapter, options=named(option))
    sampled = sample(loaded, examples, adapter, seed, responses)
    divergences = None if adapter is None else divergence(loaded, pairs or [])
    scored = score(sampled, clip=judge, networks=networks, divergences=divergences)
    found = [(METRICS[scores.metric], scores) for scores in scored]
    found += [scored_by(function, name, sampled) for name, function in own.items()]
    given = set(wanted) - set(own)
    kept = [row for row in found if not wanted or row[0].name in given or row[0].name not in METRICS]
    Console(width=None if Console().is_terminal else 120).print(metric_table(kept))
    if out is not None:
        write_json(out, {metric.name: as_json(metric, scores) for metric, scores in kept})


def asked(
    source: AskedKind, items: int, of_source: dict[str, Any], of_benchmark: dict[str, Any], share: float
) -> list[Example]:
    """The examples. Raises ValueError for an option that the source needs, and for one that it does not have."""
    from bifrons.sources import Benchmark, Source

    benchmark = source in (AskedKind.pope, AskedKind.vqav2, AskedKind.geneval, AskedKind.dsg)
    for name, value in (of_source if benchmark else of_benchmark).items():
        if value and name not in (of_benchmark if benchmark else of_source):
            raise ValueError(f"the source {source.value} has no {name}")
    if benchmark:
        return Benchmark(benchmark=source.value, **of_benchmark).examples(items)  # type: ignore[arg-type]
    return Source(source=source.value, evaluation_share=share, **of_source).examples("evaluation", items, 0)  # type: ignore[arg-type]


def responses_to(examples: list[Example]) -> int:
    """How many responses are sampled."""
    return sum(bool(e.image and e.questions) + len(e.presence) + bool(e.captions) for e in examples)


def sample(model: Any, examples: Any, adapter: Path | None, seed: int, folder: Path | None) -> Any:
    """Responses, of which those that the folder holds are not sampled again."""
    from rich.console import Console
    from rich.progress import Progress

    from bifrons.evaluation import ResponseStore, adapter_fingerprint, respond
    from bifrons.records import run_key

    about = {**model.identity.samples_by, "adapter": adapter_fingerprint(adapter), "seed": seed}
    store = ResponseStore(None if folder is None else folder / f"responses-{run_key(about)}", about)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("answering and drawing", total=responses_to(examples))
        return respond(model, examples, seed=seed, store=store, report=lambda n: progress.advance(bar, n))


def divergence(model: Any, files: list[Path]) -> Any:
    """Of the first pairs of each file, by task."""
    from bifrons.evaluation import measure_divergence
    from bifrons.records import UnderstandingPair, read_pairs

    found: dict[str, Any] = {}
    for file in files:
        some = read_pairs(file)[:DIVERGENCE_PAIRS]
        task = "understanding" if isinstance(some[0], UnderstandingPair) else "generation"
        found[task] = found.get(task, {}) | measure_divergence(model, some)
    return found


def metric_table(rows: list[tuple[Metric, Scores]]) -> RichTable:
    """What was measured, then why the rest was not."""
    from rich.markup import escape
    from rich.table import Table

    from bifrons.stats import summarise

    shown = Table("metric", "", box=None, pad_edge=False)
    for heading in ("value", "95% interval", "n"):
        shown.add_column(heading, justify="right")
    shown.add_column("unit or reason")
    arrows = {"higher": "↑", "lower": "↓", "neither": ""}
    for metric, scores in sorted(rows, key=lambda row: not (row[1].items or row[1].value is not None)):
        name = (escape(metric.label), arrows[metric.direction])
        if scores.value is not None:
            shown.add_row(*name, f"{scores.value:.3f}", "", "", metric.unit or "of the whole set")
        elif len(scores.items) > 1:
            summary = summarise(list(scores.items.values()))
            low, high = summary.interval.low, summary.interval.high
            shown.add_row(*name, f"{summary.mean:.3f}", f"{low:.3f} to {high:.3f}", str(summary.n), metric.unit)
        elif scores.items:
            shown.add_row(*name, f"{next(iter(scores.items.values())):.3f}", "", "1", metric.unit)
        else:
            shown.add_row(*name, "-", "", "0", f"[dim]{escape(scores.reason)}[/dim]")
    return shown


def as_json(metric: Metric, scores: Scores) -> dict[str, Any]:
    """Everything about one metric: what it is, its items, its mean and interval, or its reason."""
    from bifrons.stats import summarise

    row: dict[str, Any] = {"label": metric.label, "direction": metric.direction, "unit": metric.unit}
    row |= {"value": scores.value, "mean": None, "ci95": None, "n": len(scores.items)}
    reason = scores.reason
    if len(scores.items) == 1:
        row["mean"], reason = next(iter(scores.items.values())), "one item has no interval"
    elif scores.items:
        summary = summarise(list(scores.items.values()))
        row |= {"mean": summary.mean, "ci95": [summary.interval.low, summary.interval.high]}
    return row | {"reason": reason or None, "items": scores.items}

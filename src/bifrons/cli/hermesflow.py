"""`bifrons hermesflow curate / import / scorers / questions`, and the studies with a [hermesflow] section."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bifrons.cli.options import Options, named

app = typer.Typer(no_args_is_help=True)


class Questions(StrEnum):
    """Where a judge's questions come from."""

    source = "source"
    general = "general"
    world = "world"


def is_its_study(file: Path) -> bool:
    from bifrons.study.hermesflow_config import is_hermesflow

    return is_hermesflow(file)


def study(file: Path, out: Path, overrides: tuple[str, ...], *, dry_run: bool, choose_rate: str) -> None:
    """Run a study of HermesFlow and write its report."""
    from bifrons.report import write_report
    from bifrons.study.hermesflow import chains_of, run_hermesflow
    from bifrons.study.hermesflow_config import read_hermesflow

    config = read_hermesflow(file, overrides)
    if choose_rate:
        raise ValueError("--choose-rate: a study of HermesFlow states its rate; choose it on a study without rounds")
    if dry_run:
        for method, setting, seed, settings in chains_of(config):
            extra = "".join(f" {key} {value}" for key, value in setting.items())
            typer.echo(f"{method}{extra} seed {seed}: {settings.rounds} rounds")
        return
    folder, outcomes = run_hermesflow(config, file.stem, out)
    for outcome in outcomes:
        if outcome.status != "done":
            typer.echo(f"bifrons: {outcome.name} is {outcome.status}: {outcome.reason}", err=True)
    typer.echo(f"report: {write_report(folder).resolve()}")
    if any(outcome.status != "done" for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def curate(
    out: Annotated[Path, typer.Option(help="Parquet file of homologous records to write.")],
    data: Annotated[Path | None, typer.Option(help="JourneyDB-format annotations; unset takes scenes.")] = None,
    coco: Annotated[Path | None, typer.Option(help="COCO captions, JSON, instead.")] = None,
    instances: Annotated[Path | None, typer.Option(help="COCO instances: questions then have known answers.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images that the annotations name.")] = None,
    tifa: Annotated[Path | None, typer.Option(help="TIFA-format questions of the annotations, by id.")] = None,
    dsg: Annotated[Path | None, typer.Option(help="DSG-format questions, by the inputs' ids.")] = None,
    count: Annotated[int, typer.Option(help="Inputs to start from.")] = 256,
    question: Annotated[str, typer.Option(help="How the model is asked for a caption.")] = "describe the picture.",
    questions: Annotated[Questions, typer.Option(help="Where the judge's questions come from.")] = Questions.source,
    num_captions: Annotated[int, typer.Option(help="Captions an input.")] = 4,
    num_drawings: Annotated[int, typer.Option(help="Drawings an input.")] = 4,
    scorer: Annotated[
        str, typer.Option(help="Scores captions: content_f1, clip_text, bertscore:FOLDER, ...")
    ] = "content_f1",
    judge: Annotated[str, typer.Option(help="self, or verifier on scenes.")] = "self",
    model: Annotated[str, typer.Option(help="Whose samples they are.")] = "organism",
    option: Options = None,
    adapter: Annotated[Path | None, typer.Option(help="Adapter of the round before, for a further round.")] = None,
    previous: Annotated[Path | None, typer.Option(help="Records of the round before.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of scenes and sampling.")] = 0,
) -> None:
    """Sample, score and choose; with --previous and --adapter, a round of self-play. Goes on where it was killed."""
    from bifrons.evaluation import adapter_fingerprint
    from bifrons.models import load
    from bifrons.pairs.homologous import CurationSettings, Curator, inputs_of, summary_of, with_questions
    from bifrons.pairs.homologous import curate as first_round
    from bifrons.pairs.self_play import play
    from bifrons.records import read_homologous, write_homologous
    from bifrons.scorers.judge import ModelJudge
    from bifrons.scorers.text_similarity import load_text_scorer
    from bifrons.scorers.verifier import SceneVerifier
    from bifrons.sources import Source, dsg_examples

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    if (previous is None) != (adapter is None):
        raise ValueError(
            "a further round needs both --previous, the records, and --adapter, the model of the round before"
        )
    if judge not in ("self", "verifier"):
        raise ValueError(f"there is no judge {judge!r}; there are self and verifier")
    before = [] if previous is None else read_homologous(previous)
    loaded = load(model, adapter=adapter, options=named(option))
    if data is None:
        where = Source() if coco is None else Source(source="coco", captions=coco, instances=instances, images=images)
        inputs = inputs_of(where.examples("pairs", count, seed), questions=questions.value, seed=seed)
    else:
        from bifrons.sources.journeydb import journeydb_examples

        if images is None:
            raise ValueError(f"{data}: --images is missing, the folder of the images that it names")
        examples = journeydb_examples(data, images, count, questions=tifa)
        inputs = inputs_of(examples, questions=questions.value, seed=seed)
    if dsg is not None:
        asked = {example.id.removeprefix("dsg-"): example.questions for example in dsg_examples(dsg)}
        inputs = with_questions(inputs, asked)
    revision = "+".join(p for p in (loaded.identity.fingerprint, adapter_fingerprint(adapter)) if p)
    settings = CurationSettings(question=question, num_captions=num_captions, num_drawings=num_drawings, seed=seed)
    curator = Curator(
        loaded,
        inputs,
        settings,
        load_text_scorer(scorer),
        SceneVerifier() if judge == "verifier" else ModelJudge(loaded, f"{loaded.identity.name} {revision}"),
        revision=revision,
        round_number=1 if not before else before[0].round + 1,
        folder=out.parent / f"{out.name}.samples",
    )
    records = play(curator, before) if before else first_round(curator)
    write_homologous(out, records)
    show(out, summary_of(records))
    lean = curator.leaning
    known = [
        ("as expected", lean.accuracy),
        ("chance", lean.chance),
        ("lean to yes", lean.yes_bias),
        ("unread", lean.unread),
    ]
    typer.echo("judge: " + ", ".join(f"{name} {value:.3f}" for name, value in known if value is not None))


@app.command("import")
def import_files(
    file: Annotated[Path, typer.Argument(help="HermesFlow's pair file, pair_dpo_data.json.")],
    images: Annotated[Path, typer.Option(help="Folder that the file's image paths start from.")],
    out: Annotated[Path, typer.Option(help="Folder for understanding.parquet and generation.parquet.")],
    model: Annotated[str, typer.Option(help="Whose codes the images become.")] = "organism",
) -> None:
    """Read HermesFlow's own pair file, join both faces by id, and say which records cannot be trusted, and why."""
    from bifrons.models import load
    from bifrons.pairs.homologous_import import import_hermesflow
    from bifrons.records import write_pairs

    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    found = import_hermesflow(file, images, load(model))
    for name, causes in found.distrusted.items():
        typer.echo(f"  {name}: {'; '.join(causes)}")
    typer.echo(f"{len(found.understanding)} records kept, {len(found.distrusted)} not trusted")
    if found.understanding:
        write_pairs(out / "understanding.parquet", found.understanding)
        write_pairs(out / "generation.parquet", found.generation)
        typer.echo(f"pairs: {out.resolve()}")


@app.command()
def scorers(
    scenes: Annotated[int, typer.Option(help="Scenes that are captioned.")] = 100,
    captions: Annotated[int, typer.Option(help="Captions a scene.")] = 6,
    model: Annotated[str, typer.Option(help="Who captions.")] = "organism",
) -> None:
    """How often each caption scorer orders two captions of a scene as the truth does."""
    from bifrons.models import load
    from bifrons.pairs.scorer_accuracy import scorer_accuracy
    from bifrons.scorers.text_similarity import load_text_scorer

    names = ("content_f1", "content_f2", "clip_text")
    found = scorer_accuracy(load(model), [load_text_scorer(n) for n in names], num_scenes=scenes, num_captions=captions)
    for name, (share, pairs) in found.items():
        typer.echo(f"{name:28} {share:.3f} of {pairs} pairs of captions ordered as the truth orders them")


@app.command()
def questions(
    scenes: Annotated[int, typer.Option(help="Scenes; each is captioned in five wordings.")] = 200,
) -> None:
    """Accuracy of the rule-based question makers, against the exact verifier."""
    from bifrons.pairs.question_maker import QUESTION_MAKERS, maker_accuracy

    for name, maker in QUESTION_MAKERS.items():
        found = maker_accuracy(maker, scenes)
        kinds = ", ".join(f"{kind} {good} of {made}" for kind, (good, made) in found.by_kind.items())
        typer.echo(f"{name}: {found.right} of {found.made} right ({kinds}); {found.covered:.3f} of captions give one")


def show(path: Path, summary: dict[str, Any]) -> None:
    typer.echo(
        f"{summary['kept']} of {summary['kept'] + sum(summary['dropped'].values())} records kept: {path.resolve()}"
    )
    for cause, number in summary["dropped"].items():
        typer.echo(f"  {number:6} {cause} ({', '.join(summary['first_dropped'][cause])})")

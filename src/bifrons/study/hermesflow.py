"""Runs a study of HermesFlow: for each variant, method and seed a chain of rounds, each evaluated; then its results."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bifrons.evaluation import METRICS, Metric
from bifrons.evaluation.gap import METRICS as GAP_METRICS
from bifrons.models import load
from bifrons.pairs.homologous import inputs_of
from bifrons.protocol import UnifiedModel
from bifrons.records import (
    HomologousRecord,
    JudgeQuestion,
    read_homologous,
    read_json,
    run_key,
    write_json,
)
from bifrons.scorers.clip import load_clip
from bifrons.scorers.text_similarity import load_text_scorer
from bifrons.sources import refuse_overlap
from bifrons.sources.scenes import png
from bifrons.study.describe import METHODS
from bifrons.study.hermesflow_config import HermesFlowConfig, Method, setting_names
from bifrons.study.hermesflow_results import Chain, Point, results_of
from bifrons.study.hermesflow_round import Bench, Round, evaluated, play_round
from bifrons.study.hermesflow_verdicts import verdicts_of
from bifrons.study.progress import StudyProgress
from bifrons.study.record import flat

OWN_METHODS = {
    "pair_dpo": ("Pair-DPO", "Both losses of a record in the same step, summed: what HermesFlow's public code does."),
    "pair_dpo_product": ("Pair-DPO, product", "The product of both margins in one sigmoid, Eq. 6: degenerate."),
}
NUM_SHOWN = 6  # drawings of the report


@dataclass(slots=True)
class Outcome:
    """What became of one round of one chain."""

    method: str
    setting: dict[str, Any]
    seed: int
    number: int
    status: str
    reason: str = ""
    done: Round | None = None
    evaluation: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        extra = "".join(f" {key} {value}" for key, value in self.setting.items())
        return f"{self.method}{extra} seed {self.seed} round {self.number}"


def run_hermesflow(
    config: HermesFlowConfig, name: str, out: Path, *, progress: bool = True
) -> tuple[Path, list[Outcome]]:
    """Run the study `name` in `out/name`; what was done before is not done again.

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


def run_locked(config: HermesFlowConfig, name: str, folder: Path, progress: StudyProgress) -> list[Outcome]:
    progress.say(f"loading {config.model}")
    bench = bench_of(config, folder)
    chains = chains_of(config)
    progress.start(1 + sum(method.rounds for _, _, _, method in chains))
    outcomes = [base_round(bench, progress)]
    for trained, setting, seed, method in chains:
        before: Outcome = outcomes[0]
        for number in range(1, method.rounds + 1):
            outcome = next_round(bench, Outcome(trained, setting, seed, number, "missing"), method, before, progress)
            outcomes.append(outcome)
            before = outcome
    write_all(config, name, bench, outcomes)
    return outcomes


def bench_of(config: HermesFlowConfig, folder: Path) -> Bench:
    settings = config.hermesflow
    where = config.data.where
    examples = where.examples("pairs", settings.inputs, settings.seed)
    evaluation = where.examples("evaluation", config.evaluation.items, config.evaluation.seed)
    refuse_overlap({key: example.id for example in examples for key in example.context_keys}, evaluation)
    inputs = inputs_of(examples, questions=settings.questions, most=settings.questions_per_input, seed=settings.seed)
    asked: dict[str, tuple[JudgeQuestion, ...]] = {i.id: i.questions for i in inputs_of(evaluation) if i.questions}
    if not asked:  # a source of captions alone
        asked = {i.id: i.questions for i in inputs_of(evaluation, questions="general") if i.questions}
    return Bench(
        config=config,
        folder=folder,
        model=load(config.model, revision=config.revision, options=config.options),
        inputs=inputs,
        evaluation=evaluation,
        gap_questions=asked,
        scorer=load_text_scorer(settings.scorer),
        clip=load_clip(config.evaluation.clip),
    )


def chains_of(config: HermesFlowConfig) -> list[tuple[str, dict[str, Any], int, Method]]:
    """Method, setting, seed and the settings of its rounds: the study's own, then each variant's."""
    found: list[tuple[str, dict[str, Any], int, Method]] = []
    for variant in (None, *config.hermesflow.variants):
        setting = {} if variant is None else {key: getattr(variant, key) for key in setting_names(variant)}
        setting.pop("rounds", None)  # a row says its round
        methods = config.methods if variant is None else variant.methods or config.methods
        found += [(m, setting, seed, config.method_settings(variant)) for seed in config.seeds for m in methods]
    return found


def base_round(bench: Bench, progress: StudyProgress) -> Outcome:
    """The base, evaluated as round 0."""
    progress.cell("base")
    key = run_key({"base": bench.model.identity.fingerprint})
    done = Round(number=0, key=key, folder=bench.folder / key)
    found = evaluated(bench, done, 0, progress.asker(len(bench.evaluation)))
    progress.done("base", "")
    return Outcome("base", {}, 0, 0, "done", done=done, evaluation=found)


def next_round(bench: Bench, outcome: Outcome, method: Method, before: Outcome, progress: StudyProgress) -> Outcome:
    """One round, whatever happens in it: a failure becomes its reason, and the other chains go on."""
    progress.cell(outcome.name)
    if before.done is None:
        outcome.reason = f"round {outcome.number} needs round {before.number}, which is {before.status}"
    else:
        try:
            old = 2 * (outcome.number > 1)  # the pair that stands is judged again
            total = len(bench.inputs) * (method.num_captions + 2 * method.num_drawings + old)
            outcome.done = play_round(
                bench,
                method,
                outcome.method,
                outcome.seed,
                before.done,
                report=counter(progress, total),
                on_step=progress.stepper(bench.config.training.steps),
            )
            report = progress.asker(len(bench.evaluation))
            outcome.evaluation = evaluated(bench, outcome.done, outcome.seed, report)
            outcome.status = "done"
        except Exception as error:
            outcome.status, outcome.done = "failed", None
            message = str(error).splitlines()[0] if str(error) else "no message"
            outcome.reason = message if isinstance(error, ValueError) else f"{type(error).__name__}: {message}"
        finally:
            bench.model.remove_adapter()
    kept = "" if outcome.done is None else f"{outcome.done.summary['kept']} of {len(bench.inputs)} records kept"
    progress.done(outcome.name, outcome.reason or kept)
    return outcome


def counter(progress: StudyProgress, total: int) -> Callable[[int], None]:
    """Told how many samples were made or judged."""
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress.show(0, "sampling and judging", total, done, "")

    return report


def write_all(config: HermesFlowConfig, name: str, bench: Bench, outcomes: list[Outcome]) -> None:
    points = [
        Point(
            chain=Chain(o.method, tuple(o.setting.items()), o.number),
            seed=o.seed,
            scores=o.evaluation.get("scores", {}),
            by_kind=o.evaluation.get("by_kind", {}),
            training={} if o.done is None else o.done.training,
            reason=o.reason,
        )
        for o in outcomes
    ]
    results = results_of(bench.model.identity.name, points)
    verdicts = verdicts_of(config.claims, points)
    write_json(bench.folder / "results.json", {"study": name, **results})
    write_json(
        bench.folder / "hermesflow.json",
        own_record(outcomes) | {"claims": verdicts, "example": example(outcomes, bench)},
    )
    write_json(bench.folder / "gallery.json", gallery(bench, outcomes))
    write_study(config, name, bench, outcomes)


def own_record(outcomes: list[Outcome]) -> dict[str, Any]:
    """What the report's section on HermesFlow is made of, beside the rows of results.json."""
    found: dict[str, Any] = {"records": [], "gaps": [], "judges": []}
    for outcome in outcomes:
        about = {"method": outcome.method, "setting": outcome.setting, "round": outcome.number, "seed": outcome.seed}
        if outcome.done is not None and outcome.number:
            found["records"].append(about | outcome.done.summary)
        if outcome.evaluation:
            found["gaps"] += [about | gap for gap in outcome.evaluation["gaps"]]
            if outcome.evaluation["judge_error"] is not None:
                lean = {"lean": outcome.evaluation["leaning"]}
                found["judges"].append(about | outcome.evaluation["judge_error"] | lean)
    return found


def example(outcomes: list[Outcome], bench: Bench) -> dict[str, Any] | None:
    """The first kept record of the first round that was trained, with its pictures."""
    rounds = [o.done for o in outcomes if o.done is not None and o.done.records is not None]
    if not rounds or rounds[0].records is None:
        return None
    record: HomologousRecord = next(r for r in read_homologous(rounds[0].records) if r.kept)
    captions, drawings = record.standing("captions"), record.standing("drawings")
    assert captions is not None and drawings is not None
    pictures = bench.model.decode([sample.tokens for sample in drawings])
    return {
        "id": record.id,
        "round": record.round,
        "image": base64.b64encode(record.image).decode(),
        "caption": record.caption,
        "captions": [{"text": sample.text, "score": sample.score} for sample in captions],
        "drawings": [
            {"image": base64.b64encode(png(pixels)).decode(), "score": sample.score}
            for sample, pixels in zip(drawings, pictures, strict=True)
        ],
        "questions": [{"text": q.text, "answer": q.answer} for q in record.questions],
    }


def gallery(bench: Bench, outcomes: list[Outcome]) -> dict[str, Any]:
    """Drawings of the same prompts by the base and by each method's last round (its first seed, own setting)."""
    shown: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.evaluation and not outcome.setting and outcome.seed in (0, bench.config.seeds[0]):
            shown[outcome.method] = outcome
    rows: list[dict[str, Any]] = []
    for item in bench.evaluation[:NUM_SHOWN]:
        pixels = bench.model.decode([o.evaluation["drawings"][item.id] for o in shown.values()])
        drawn = {name: base64.b64encode(png(p)).decode() for name, p in zip(shown, pixels, strict=True)}
        rows.append({"prompt": item.prompt, "chosen": "", "rejected": "", "drawn": drawn, "notes": {}})
    return {"drawings": rows, "answers": []}


def write_study(config: HermesFlowConfig, name: str, bench: Bench, outcomes: list[Outcome]) -> None:
    """Write `study.json`; the date of a first run stays."""
    path = bench.folder / "study.json"
    created = read_json(path)["created"] if path.is_file() else datetime.now(UTC).isoformat(timespec="seconds")
    model: UnifiedModel = bench.model
    millions = int(model.identity.facts["parameters"]) / 1e6
    first = next((o.done.summary for o in outcomes if o.done is not None and o.number), None)
    names = list(dict.fromkeys(outcome.method for outcome in outcomes))
    settings = config.model_dump(mode="json", exclude={"title", "description", "claims"})
    variants = settings["hermesflow"].pop("variants")
    write_json(
        path,
        {
            "study": name,
            "title": config.title,
            "description": config.description,
            "model": model.identity.name,
            "model_label": f"{model.identity.name} ({model.identity.family}, {millions:.1f} M parameters)",
            "created": created,
            "settings": flat(settings) | {"hermesflow.variants": len(variants)},
            "metrics": [metric_record(metric) for metric in (*GAP_METRICS, *METRICS.values())],
            "methods": [method_record(method) for method in names],
            "cells": [
                {
                    "method": o.method,
                    "seed": o.seed,
                    "setting": o.setting | ({"round": o.number} if o.number else {}),
                    "key": "" if o.done is None else o.done.key,
                    "status": o.status,
                    "reason": o.reason,
                }
                for o in outcomes
            ],
            "pairs": {} if first is None else dict.fromkeys(("understanding", "generation"), counted(first)),
            "margin_noise": {task: noise(outcomes, task) for task in ("understanding", "generation")},
            "notes": [
                "Records of later rounds start from the base's first; their counts stand in the section on HermesFlow."
            ],
        },
    )


def counted(summary: dict[str, Any]) -> dict[str, Any]:
    return {"kept": summary["kept"], "dropped": summary["dropped"], "notes": {}}


def metric_record(metric: Metric) -> dict[str, Any]:
    found = asdict(metric)
    return {name: found[name] for name in ("name", "label", "direction", "task", "primary", "description")}


def method_record(name: str) -> dict[str, Any]:
    label, description = (OWN_METHODS | METHODS).get(name, (name, "A strategy of the user's own."))
    kind = "base" if name == "base" else "train"
    return {"name": name, "label": label, "kind": kind, "description": description, "deployable": True}


def noise(outcomes: list[Outcome], task: str) -> float | None:
    values = [o.done.training.get(f"margin_noise_{task}") for o in outcomes if o.done is not None and o.number]
    return max((value for value in values if value is not None), default=None)

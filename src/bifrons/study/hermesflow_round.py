"""One round of HermesFlow: data from the model that the round starts from, training from there, responses and the gap.

Every part lies on disk under a key of all that decides it, so a round that was killed goes on where it was, and rounds
that share a part share its files: the first round's samples serve every method and every number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bifrons.evaluation import adapter_fingerprint
from bifrons.evaluation.gap import Gap, GapItem, JudgedGap, gaps_of, judge_error, judge_gap
from bifrons.pairs.homologous import CurationSettings, Curator, HomologousInput, curate, summary_of
from bifrons.pairs.self_play import play
from bifrons.protocol import AdapterSettings, UnifiedModel
from bifrons.records import (
    HomologousRecord,
    JudgeQuestion,
    StepRecord,
    homologous_pairs,
    read_homologous,
    read_json,
    run_key,
    write_homologous,
    write_json,
)
from bifrons.scenes import IMAGE_SIZE
from bifrons.scorers import LengthConstants
from bifrons.scorers.clip import ClipScorer
from bifrons.scorers.judge import Judge, Leaning, ModelJudge, Verdict, leaning, verdict_of
from bifrons.scorers.text_similarity import TextScorer
from bifrons.scorers.verifier import SceneVerifier
from bifrons.sources import Example
from bifrons.study.evaluation import evaluate_model
from bifrons.study.hermesflow_config import PAIR_DPO, HermesFlowConfig, Method
from bifrons.training import Recipe, align

Report = Callable[[int], None]
VERSION = 1


@dataclass(slots=True)
class Bench:
    """What all rounds of a study share."""

    config: HermesFlowConfig
    folder: Path
    model: UnifiedModel
    inputs: list[HomologousInput]
    evaluation: list[Example]
    gap_questions: dict[str, tuple[JudgeQuestion, ...]]
    scorer: TextScorer
    clip: ClipScorer
    constants: LengthConstants | None = None

    def verifiable(self, drawings: Sequence[NDArray[np.uint8]]) -> bool:
        """Whether the exact verifier can read them: a model may draw scenes in another size than theirs."""
        return self.config.data.source == "scenes" and all(
            drawing.shape == (IMAGE_SIZE, IMAGE_SIZE, 3) for drawing in drawings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round that is done, or the base as round 0. `folder` holds its adapter, `records` is its data's file."""

    number: int
    key: str
    folder: Path
    records: Path | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def adapter(self) -> Path | None:
        return self.folder / "adapter" if self.number else None


class BaseJudge:
    """The base as judge, whatever adapter the model carries."""

    def __init__(self, inner: ModelJudge, base: Callable[[], AbstractContextManager[None]]) -> None:
        self.inner, self.base, self.name = inner, base, inner.name

    def reply(self, images: Any, questions: Any, report: Report | None = None) -> list[str]:
        with self.base():
            return self.inner.reply(images, questions, report)


def revision_of(model: UnifiedModel, adapter: Path | None) -> str:
    """The weights that sample: the base's fingerprint, and the adapter's behind a plus."""
    return "+".join(part for part in (model.identity.fingerprint, adapter_fingerprint(adapter)) if part)


def judge_of(bench: Bench, name: str, adapter: Path | None) -> Judge:
    """A judge by its name in the study file, for the model with this adapter loaded."""
    if name == "verifier":
        return SceneVerifier()
    weights = revision_of(bench.model, adapter if name == "self" else None)
    settings = bench.config.hermesflow
    made = ModelJudge(
        bench.model,
        f"{bench.model.identity.name} {weights}",
        wording=settings.judge_wording,
        batch_size=settings.batch_size,
    )
    return made if name == "self" else BaseJudge(made, bench.model.base_only)


def curated(bench: Bench, method: Method, before: Round, report: Report) -> tuple[Path, list[HomologousRecord]]:
    """The records of the next round: from disk, or made by the model with the adapter of the round before."""
    settings = bench.config.hermesflow
    made = CurationSettings(
        question=settings.question,
        num_captions=method.num_captions,
        num_drawings=method.num_drawings,
        min_best=method.min_best,
        caption_temperature=method.caption_temperature,
        drawing_temperature=method.drawing_temperature,
        guidance=settings.guidance,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    previous = [] if before.records is None else read_homologous(before.records)
    judge = judge_of(bench, method.judge, before.adapter)
    definition = {
        "version": VERSION,
        **bench.model.identity.samples_by,
        "settings": {k: v for k, v in asdict(made).items() if k != "batch_size"},
        "revision": revision_of(bench.model, before.adapter),
        "judge": judge.name,
        "scorer": bench.scorer.name,
        "inputs": run_key({"inputs": [[i.id, i.caption, [asdict(q) for q in i.questions]] for i in bench.inputs]}),
        "previous": before.records.stem if before.records is not None else "",
    }
    path = bench.folder / "records" / f"{run_key(definition)}.parquet"
    if path.is_file():
        return path, read_homologous(path)
    if before.adapter is not None:
        bench.model.load_adapter(before.adapter)
    curator = Curator(
        bench.model,
        bench.inputs,
        made,
        bench.scorer,
        judge,
        revision=definition["revision"],
        round_number=before.number + 1,
        folder=bench.folder / "samples",
        report=report,
    )
    records = curate(curator) if before.records is None else play(curator, previous)
    bench.model.remove_adapter()
    found = curator.leaning
    write_json(path.with_suffix(".json"), asdict(found) | {"yes_bias": found.yes_bias})
    write_homologous(path, records)
    return path, records


def recipe_of(config: HermesFlowConfig, method: str, seed: int) -> Recipe:
    settings = config.training
    strategy = "naive_joint" if method in PAIR_DPO else method
    paired = len(Recipe(strategy=strategy, steps=settings.steps).make().tasks) == 2
    return Recipe(
        strategy=strategy,
        steps=settings.steps,
        pairs_per_step=settings.pairs_per_step,
        beta_understanding=settings.beta,
        beta_generation=settings.beta,
        coupling=PAIR_DPO.get(method, "sum"),  # type: ignore[arg-type]
        paired=paired,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        adapter=AdapterSettings(rank=settings.rank, alpha=settings.alpha, dropout=settings.dropout, seed=seed),
        seed=seed,
    )


def check_predecessor(before: Round, fingerprint: str) -> None:
    """Raises ValueError that names the round for one whose adapter is absent or of another model."""
    if before.adapter is None:
        return
    name = f"round {before.number + 1} needs round {before.number}"
    card = before.adapter / "bifrons.json"
    if not card.is_file() or not (before.folder / "record.json").is_file():
        raise ValueError(f"{name}, and {before.folder} holds no finished round")
    if read_json(card).get("fingerprint") != fingerprint:
        raise ValueError(f"{name}, and {before.folder} is of another model")


def play_round(
    bench: Bench,
    method: Method,
    trained: str,
    seed: int,
    before: Round,
    *,
    report: Report,
    on_step: Callable[[StepRecord], None],
) -> Round:
    """The next round after `before`: curated, trained and kept. Raises ValueError where no record is kept."""
    check_predecessor(before, bench.model.identity.fingerprint)
    path, records = curated(bench, method, before, report)
    summary = summary_of(records) | {"judge": read_json(path.with_suffix(".json"))}
    understanding, generation = homologous_pairs(records)
    if not understanding:
        raise ValueError(f"round {before.number + 1} keeps no record: {summary['dropped']}")
    recipe = recipe_of(bench.config, trained, seed)
    tasks = recipe.make().tasks
    definition = {
        "version": VERSION,
        "records": path.stem,
        "before": before.key,
        "reference": method.reference,
        "recipe": recipe.definition(bench.model.identity, {}),
    }
    key = run_key(definition)
    folder = bench.folder / key
    if not (folder / "record.json").is_file():
        bench.model.remove_adapter()
        align(
            bench.model,
            understanding=understanding if "understanding" in tasks else None,
            generation=generation if "generation" in tasks else None,
            recipe=recipe,
            out=folder,
            reference_cache=bench.folder / "reference",
            start=before.adapter,
            reference="base" if method.reference == "first" else "start",
            on_step=on_step,
            progress=False,
        )
        bench.model.remove_adapter()
    write_json(folder / "round.json", definition | {"number": before.number + 1, "summary": summary})
    return Round(
        number=before.number + 1,
        key=key,
        folder=folder,
        records=path,
        summary=summary,
        training=read_json(folder / "record.json"),
    )


def evaluated(bench: Bench, done: Round, seed: int, report: Report) -> dict[str, Any]:
    """Scores by metric and the gap of a round, with everything that judges said kept beside them."""
    found = evaluate_model(
        bench.model,
        done.adapter,
        bench.evaluation,
        bench.config.evaluation,
        bench.clip,
        seed=seed,
        constants=bench.constants,
        folder=done.folder,
        report=report,
    )
    bench.constants = bench.constants or LengthConstants(**found["constants"])
    items = [example for example in bench.evaluation if example.id in bench.gap_questions]
    drawings = dict(
        zip(
            [example.id for example in items],
            bench.model.decode([found["drawings"][example.id] for example in items]),
            strict=True,
        )
    )
    verifiable = bench.verifiable([*drawings.values()])
    shown = [
        GapItem(id=e.id, image=e.image, drawing=drawings[e.id], questions=bench.gap_questions[e.id]) for e in items
    ]
    about = {
        "version": VERSION,
        "drawings": run_key({"codes": [found["drawings"][example.id] for example in items]}),
        "questions": run_key({"asked": [[asdict(q) for q in item.questions] for item in shown]}),
        "reader": revision_of(bench.model, done.adapter),
        "wording": bench.config.hermesflow.judge_wording,
    }
    path = done.folder / "evaluation" / f"gap-{run_key(about)}.json"
    if not path.is_file():
        if done.adapter is not None:
            bench.model.load_adapter(done.adapter)
        reader = judge_of(bench, "self", done.adapter)
        own = judge_gap(shown, reader, reader, report=report)
        bench.model.remove_adapter()
        kept = {"about": about, "judge": own.judge, "ids": list(own.ids)}
        kept |= {"real": replies(own.understanding), "drawn": replies(own.generation)}
        if verifiable:
            exact = judge_gap(shown, reader, SceneVerifier(), understanding=own.understanding)
            kept |= {"verifier": exact.judge}
            kept |= {"verified_real": replies(exact.control), "verified_drawn": replies(exact.generation)}
        write_json(path, kept)
    said = read_json(path)
    own, exact = rebuilt(said, shown, "judge"), rebuilt(said, shown, "verifier") if verifiable else None
    error = None if exact is None else judge_error(own, exact)
    return {
        "scores": found["scores"] | gap_scores(own, exact),
        "answers": found["answers"],
        "drawings": found["drawings"],
        "gaps": [asdict(gap) for judged in (own, exact) if judged is not None for gap in gaps_of(judged)],
        "by_kind": {kind: kind_items(own, exact, kind) for kind in own.kinds},
        "judge_error": None if error is None else asdict(error) | {"agreement": error.agreement},
        "leaning": lean(own),
    }


def replies(verdicts: tuple[Verdict, ...]) -> list[list[str]]:
    return [list(verdict.replies) for verdict in verdicts]


def rebuilt(said: dict[str, Any], items: list[GapItem], which: str) -> JudgedGap:
    """What was judged, from the replies on disk."""

    def verdicts(name: str) -> tuple[Verdict, ...]:
        return tuple(verdict_of(item.questions, row) for item, row in zip(items, said[name], strict=True))

    own = which == "judge"
    return JudgedGap(
        judge=said[which],
        questions=tuple(item.questions for item in items),
        ids=tuple(said["ids"]),
        understanding=verdicts("real"),
        generation=verdicts("drawn" if own else "verified_drawn"),
        control=verdicts("real" if own else "verified_real"),
    )


def gap_scores(own: JudgedGap, exact: JudgedGap | None) -> dict[str, dict[str, Any]]:
    """The gap's metrics, item by item; those of the verifier carry the reason where there is none."""
    reading, drawing = own.accuracies("understanding"), own.accuracies("generation")
    items: dict[str, dict[str, float]] = {
        "gap": {name: round(reading[name] - drawing[name], 12) for name in reading},
        "gap_verified": {},
        "drawing_deficit_verified": {},
        "gap_understanding": reading,
        "gap_generation": drawing,
        "gap_generation_verified": {},
    }
    if exact is not None:
        verified, control = exact.accuracies("generation"), exact.accuracies("control")
        items["gap_verified"] = {name: round(reading[name] - verified[name], 12) for name in reading}
        items["drawing_deficit_verified"] = {n: round(control[n] - verified[n], 12) for n in reading}
        items["gap_generation_verified"] = verified
    why = f"only scenes in pictures of {IMAGE_SIZE} x {IMAGE_SIZE} have an exact verifier"
    return {name: {"items": values, "value": None, "reason": "" if values else why} for name, values in items.items()}


def kind_items(own: JudgedGap, exact: JudgedGap | None, kind: str) -> dict[str, dict[str, float]]:
    """Accuracies on one kind of question, item by item, under the metrics' names."""
    return {
        "gap_understanding": own.accuracies("understanding", kind),
        "gap_generation": own.accuracies("generation", kind),
        "gap_generation_verified": {} if exact is None else exact.accuracies("generation", kind),
    }


def lean(own: JudgedGap) -> dict[str, Any]:
    """Chance level and lean towards yes of the model as reader and as judge."""
    found: dict[str, Leaning] = {
        "real": leaning(own.questions, own.understanding),
        "drawn": leaning(own.questions, own.generation),
    }
    return {name: asdict(value) | {"yes_bias": value.yes_bias} for name, value in found.items()}


__all__ = ["Bench", "Gap", "Round", "check_predecessor", "curated", "evaluated", "play_round"]

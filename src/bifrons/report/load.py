"""Reads and checks a study's files. Every refusal is a ValueError that names the file and the key."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bifrons.records import Gramian
from bifrons.report.claims import Claim, load_claims
from bifrons.report.fields import Node, top
from bifrons.report.inputs import (
    Answer,
    Cell,
    Diagnosis,
    Drawing,
    FinalLoss,
    Gallery,
    Method,
    Metric,
    PairCount,
    Results,
    Row,
    Setting,
    Spread,
    Study,
    Variant,
)
from bifrons.report.lengths import Lengths, load_lengths

PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a report reads, except the step records. None for an optional file that is not there."""

    folder: Path
    study: Study
    results: Results
    diagnosis: Diagnosis | None
    gallery: Gallery | None
    claims: tuple[Claim, ...] = ()
    lengths: Lengths | None = None


def load(study_dir: Path) -> Inputs:
    """Read a study's folder. Raises ValueError for a missing or a bad file."""
    study = load_study(study_dir / "study.json")
    return Inputs(
        folder=study_dir,
        study=study,
        results=load_results(study_dir / "results.json", study),
        diagnosis=load_diagnosis(study_dir / "diagnosis.json"),
        gallery=load_gallery(study_dir / "gallery.json", study),
        claims=load_claims(study_dir / "claims.json"),
        lengths=load_lengths(study_dir / "items.json", study),
    )


def load_study(file: Path) -> Study:
    root = top(file)
    metrics = tuple(
        Metric(
            name=node.text("name"),
            label=node.text("label", node.text("name")),
            direction=node.choice("direction", ("higher", "lower", "neither")),
            task=node.choice("task", ("understanding", "generation", "both")),
            primary=node.flag("primary", False),
            description=node.text("description", ""),
        )
        for node in root.nodes("metrics", needed=True)
    )
    methods = tuple(
        Method(
            name=node.text("name"),
            label=node.text("label", node.text("name")),
            kind=node.choice("kind", ("base", "train", "post_hoc")),
            description=node.text("description", ""),
            deployable=node.flag("deployable", True),
        )
        for node in root.nodes("methods", needed=True)
    )
    if not methods:
        raise root.refuse("methods", "at least one method")
    names = {method.name for method in methods}
    cells = tuple(
        Cell(
            method=declared(node, "method", names),
            seed=node.needed_whole("seed"),
            setting=setting_of(node),
            key=node.text("key", ""),
            status=node.choice("status", ("done", "failed", "missing")),
            reason=node.text("reason", ""),
            model=node.text("model", ""),
        )
        for node in root.nodes("cells", needed=True)
    )
    pairs = root.node("pairs")
    noise = root.node("margin_noise")
    notes = root.value.get("notes") or []
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise root.refuse("notes", "a list of sentences")
    return Study(
        name=root.text("study"),
        title=root.text("title", root.text("study")),
        description=root.text("description", ""),
        model=root.text("model", ""),
        model_label=root.text("model_label", root.text("model", "an unnamed model")),
        created=root.text("created", ""),
        settings=dict(root.node("settings").value),
        metrics=metrics,
        methods=methods,
        cells=cells,
        pairs={task: pair_count(pairs.node(task)) for task in ("understanding", "generation") if pairs.has(task)},
        margin_noise={task: noise.number(task) for task in ("understanding", "generation")},
        notes=tuple(notes),
    )


def load_results(file: Path, study: Study) -> Results:
    root = top(file)
    methods = {method.name for method in study.methods}
    metrics = {metric.name for metric in study.metrics}
    rows = tuple(
        Row(
            variant=variant_of(node, methods),
            metric=declared(node, "metric", metrics),
            seeds=tuple(int(seed) for seed in node.numbers("seeds")),
            mean=node.number("mean"),
            std=node.number("std"),
            n=node.whole("n"),
            ci95=node.bounds("ci95"),
            delta=node.number("delta"),
            delta_ci95=node.bounds("delta_ci95"),
            welch_t=node.number("welch_t"),
            p=node.number("p"),
            cohens_d=node.number("cohens_d"),
            standard_error=node.number("standard_error"),
            bonferroni_p=node.number("bonferroni_p"),
            holm_p=node.number("holm_p"),
            paired_p=node.number("paired_p"),
            bootstrap_ci95=node.bounds("bootstrap_ci95"),
            seed_std=node.number("seed_std"),
            margin=node.number("margin"),
            equivalence_p=node.number("equivalence_p"),
            smallest_effect=node.number("smallest_effect"),
            reason=node.text("reason", ""),
        )
        for node in root.nodes("rows", needed=True)
    )
    seen: set[tuple[Variant, str]] = set()
    for place, row in enumerate(rows):
        if (row.variant, row.metric) in seen:
            raise ValueError(
                f"{file}: rows[{place}]: {row.metric} of {row.variant.method} occurs twice in one setting and round"
            )
        seen.add((row.variant, row.metric))
    gradients = root.node("gradients")
    training = tuple(
        FinalLoss(
            variant=variant_of(node, methods),
            seed=node.needed_whole("seed"),
            understanding=node.number("loss_understanding"),
            generation=node.number("loss_generation"),
        )
        for node in root.nodes("training")
    )
    return Results(
        versions={name: str(value) for name, value in root.node("versions").value.items()},
        rows=rows,
        cosine=spread_of(gradients, "cosine"),
        ratio=spread_of(gradients, "generation_over_understanding"),
        training=training,
    )


def load_diagnosis(file: Path) -> Diagnosis | None:
    if not file.is_file():
        return None
    root = top(file)
    batches = list(root.nodes("inter_task", needed=True))
    tests = {
        key: value
        for key, value in flat(root.node("tests").value)
        if value is None or isinstance(value, str | int | float)
    }
    return Diagnosis(
        total=tuple(gramian_of(batch) for batch in batches),
        layers=tuple(tuple(gramian_of(layer) for layer in batch.nodes("layers")) for batch in batches),
        intra_understanding=root.numbers("intra_understanding"),
        intra_generation=root.numbers("intra_generation"),
        tests=tests,
    )


def load_gallery(file: Path, study: Study) -> Gallery | None:
    if not file.is_file():
        return None
    root = top(file)
    drawings = tuple(
        Drawing(
            prompt=node.text("prompt"),
            chosen=picture(node, "chosen"),
            rejected=picture(node, "rejected"),
            drawn={name: picture(node.node("drawn"), name) for name in in_order(node.texts("drawn"), study)},
            notes=node.texts("notes"),
        )
        for node in root.nodes("drawings")
    )
    answers = tuple(
        Answer(
            image=picture(node, "image"),
            question=node.text("question"),
            truth=node.text("truth", ""),
            answers=in_order(node.texts("answers"), study),
        )
        for node in root.nodes("answers")
    )
    return Gallery(drawings=drawings, answers=answers)


def declared(node: Node, name: str, known: set[str]) -> str:
    value = node.text(name)
    if value not in known:
        raise node.refuse(name, f"a {name} that study.json declares")
    return value


def setting_of(node: Node) -> Setting:
    values = node.node("setting").value
    return tuple(
        (key, str(value) if isinstance(value, list | dict) else value) for key, value in sorted(values.items())
    )


def variant_of(node: Node, methods: set[str]) -> Variant:
    return Variant(declared(node, "method", methods), setting_of(node), node.whole("round"), node.text("model", ""))


def spread_of(node: Node, name: str) -> Spread | None:
    if not node.has(name):
        return None
    values = node.node(name)
    return Spread(mean=values.number("mean"), std=values.number("std"), n=values.whole("n"))


def pair_count(node: Node) -> PairCount:
    dropped = node.node("dropped")
    return PairCount(
        kept=node.needed_whole("kept"), dropped={cause: dropped.needed_whole(cause) for cause in dropped.value}
    )


def gramian_of(node: Node) -> Gramian:
    values = [node.number(name) for name in ("uu", "ug", "gg")]
    return Gramian(*(float("nan") if value is None else value for value in values))


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested objects as dotted keys."""
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        pairs += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return pairs


def picture(node: Node, name: str) -> str:
    """A PNG in base64, checked; an empty text where there is none."""
    text = node.text(name, "")
    if not text:
        return ""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise node.refuse(name, "a PNG in base64") from None
    if not content.startswith(PNG_START):
        raise node.refuse(name, "a PNG in base64")
    return text


def in_order(values: dict[str, str], study: Study) -> dict[str, str]:
    """Entries by method in the study's order; names that it does not declare come last, as they are."""
    order = {method.name: place for place, method in enumerate(study.methods)}
    return dict(sorted(values.items(), key=lambda item: order.get(item[0], len(order))))

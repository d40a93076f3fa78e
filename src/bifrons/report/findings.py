"""What a run says, in sentences made from its intervals by rules that the page states."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.report.inputs import Metric, Results, Row, Spread, Study, variant_label
from bifrons.report.load import Inputs
from bifrons.report.numbers import count, delta_text, listed, mean_text, plain, significant
from bifrons.report.runs import Runs
from bifrons.report.tables import excludes_zero, grid_variants, metric_decimals, row_of

ALPHA = 0.05
RULE = (
    "A method is called better or worse than base on a metric when the 95% interval of its difference from base "
    "excludes 0. It is called equivalent to base where that interval holds 0 and the equivalence test over the same "
    "items passes at the margin of the study file. Where neither is so, the method is not told apart from base at this "
    "sample size, which is not evidence of no effect; the smallest effect that could have been seen stands beside it. "
    "Intervals are not widened for the number of comparisons; those that also pass p < 0.05 after Bonferroni are named."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one primary metric says: an opening sentence, then (verdict, methods) lines."""

    metric: Metric
    opening: str
    verdicts: tuple[tuple[str, str], ...]


def findings(study: Study, results: Results) -> list[Finding]:
    """One finding a primary metric."""
    kinds = {method.name: method.kind for method in study.methods}
    variants = grid_variants(study, results)
    rows = {
        metric.name: [row_of(study, results, variant, metric) for variant in variants]
        for metric in study.primary_metrics
    }
    compared = [row for every in rows.values() for row in every if kinds[row.variant.method] != "base"]
    num_tests = sum(row.p is not None for row in compared)
    made = []
    for metric in study.primary_metrics:
        decimals = metric_decimals(rows[metric.name])
        bases = [row for row in rows[metric.name] if kinds[row.variant.method] == "base"]
        others = [row for row in rows[metric.name] if kinds[row.variant.method] != "base"]
        made.append(
            Finding(
                metric=metric,
                opening=opening(metric, bases, decimals),
                verdicts=tuple(
                    (verdict, text) for verdict, text in verdicts(study, metric, others, decimals, num_tests) if text
                ),
            )
        )
    return made


def opening(metric: Metric, bases: list[Row], decimals: int) -> str:
    base = next((row for row in bases if row.mean is not None), None)
    if base is None:
        return f"{metric.direction} is better; the base has no data."
    return f"{metric.direction} is better; the base stands at {mean_text(base.mean, base.ci95, decimals)}."


def verdicts(study: Study, metric: Metric, rows: list[Row], decimals: int, num_tests: int) -> list[tuple[str, str]]:
    """Methods sorted by what their interval says."""

    def named(row: Row) -> str:
        name = variant_label(study, row.variant)
        return name if study.method(row.variant.method).deployable else f"{name} (not deployable)"

    def with_delta(row: Row) -> str:
        return f"{named(row)} {delta_text(row.delta, row.delta_ci95, decimals)}"

    better, worse, equal, untold, silent, bare = [], [], [], [], [], []
    for row in rows:
        if row.mean is None:
            silent.append(f"{named(row)} ({row.reason or 'no reason was recorded'})")
        elif row.delta is None or row.delta_ci95 is None:
            bare.append(named(row))
        elif not excludes_zero(row) and row.equivalence_p is not None and row.equivalence_p < ALPHA:
            equal.append(f"{named(row)} (margin {plain(row.margin, decimals)})")
        elif not excludes_zero(row):
            seen = "" if row.smallest_effect is None else f" (visible from {plain(row.smallest_effect, decimals)})"
            untold.append(f"{named(row)}{seen}")
        elif (row.delta > 0) == (metric.direction == "higher"):
            better.append(row)
        else:
            worse.append(row)
    lasting = [named(row) for row in better + worse if row.p is not None and row.p * num_tests < ALPHA]
    lines = [
        ("Better than base", "; ".join(map(with_delta, better))),
        ("Worse than base", "; ".join(map(with_delta, worse))),
        ("Equivalent to base", ", ".join(equal)),
        ("Not told apart from base at this sample size", ", ".join(untold)),
        ("No interval of the difference", ", ".join(bare)),
        ("No data", "; ".join(silent)),
    ]
    if better or worse:
        lines.insert(2, (f"Of these, after Bonferroni over {num_tests} comparisons", ", ".join(lasting) or "none"))
    elif untold or equal:
        lines.insert(0, ("Told apart from base", "no method"))
    return lines


def gradient_sentences(results: Results) -> list[str]:
    """The cosine and the ratio that the study recorded, beside the published ones."""
    sentences = []
    if results.cosine is not None and results.cosine.mean is not None:
        sentences.append(
            "The cosine of the two task gradients averages "
            f"{plain(results.cosine.mean, 3)}{spread_text(results.cosine)}; "
            "published for Janus-Pro: about 0 at 7B, weakly negative at 1B."
        )
    if results.ratio is not None and results.ratio.mean is not None:
        sentences.append(
            f"The generation gradient is {significant(results.ratio.mean)} times as long as the understanding gradient"
            f"{spread_text(results.ratio)}; published for Janus-Pro: 11 to 14."
        )
    return sentences


def spread_text(spread: Spread) -> str:
    parts = [] if spread.std is None else [f"standard deviation {significant(spread.std, 2)}"]
    if spread.n is not None:
        parts.append(f"n = {spread.n:,}")
    return f" ({', '.join(parts)})" if parts else ""


def fall_sentence(study: Study, runs: Runs) -> str:
    """Which runs made their chosen responses less likely, in one sentence; empty where no step records were read."""
    if not runs.num_read:
        return ""
    if not runs.falls:
        num_runs = count(runs.num_read, "run")
        return f"The chosen likelihood did not fall below the reference in the last tenth of any of the {num_runs}."
    groups: dict[tuple[str, str], list[str]] = {}
    for fall in runs.falls:
        ratio = f"seed {fall.seed} ({plain(fall.log_ratio, 2)})"
        groups.setdefault((variant_label(study, fall.variant), fall.task), []).append(ratio)
    num_runs = len({(fall.variant, fall.seed) for fall in runs.falls})
    named = "; ".join(f"{label}, {task}: {', '.join(seeds)}" for (label, task), seeds in groups.items())
    return (
        f"Chosen likelihood fell in {num_runs} of {count(runs.num_read, 'run')}: the mean log ratio of the chosen "
        "response to the reference over the last tenth of steps lies below 0, so training left those responses less "
        f"likely than it found them. {named}."
    )


def cell_sentence(study: Study) -> str:
    done = sum(cell.status == "done" for cell in study.cells)
    if done == len(study.cells):
        return f"All {count(done, 'cell')} of the grid finished." if done else ""
    parts = [(status, sum(cell.status == status for cell in study.cells)) for status in ("failed", "missing")]
    rest = listed(
        [f"{number} {'failed' if status == 'failed' else 'did not run'}" for status, number in parts if number]
    )
    return f"{done} of {count(len(study.cells), 'cell')} finished; {rest}, for the reasons listed under Results."


def statement(inputs: Inputs) -> str:
    """What was run and on what, in one paragraph."""
    study = inputs.study
    kinds = [method.kind for method in study.methods]
    strategies = count(kinds.count("train"), "training strategy", "training strategies")
    parts = [f"{study.model_label} was aligned with {strategies}"]
    if kinds.count("post_hoc"):
        parts.append(f" and {count(kinds.count('post_hoc'), 'post-hoc method')}")
    if steps := study.setting("steps"):
        parts.append(f", {steps:,} steps each" if isinstance(steps, int) else f", {steps} steps each")
    if study.seeds:
        parts.append(f", under {count(len(study.seeds), 'seed')} ({listed(map(str, study.seeds))})")
    if study.pairs:
        kept = [count(pairs.kept, f"{task} pair") for task, pairs in study.pairs.items()]
        parts.append(f", on {listed(kept)}")
    sentences = ["".join(parts) + "."]
    known = {
        "learning_rate": "learning rate",
        "batch_size": "batch size",
        "beta": "β",
        "lora_rank": "LoRA rank",
        "rank": "LoRA rank",
    }
    shown = [f"{label} {study.setting(name)}" for name, label in known.items() if study.setting(name) is not None]
    if shown:
        sentences.append(f"Shared settings: {', '.join(shown)}; all of them stand at the end.")
    sentences.append(cell_sentence(study))
    return " ".join(sentence for sentence in sentences if sentence)

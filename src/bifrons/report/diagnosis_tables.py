"""The tables of a diagnosis: statistics, intervention, replay."""

from __future__ import annotations

import statistics

from bifrons.report.diagnosis_inputs import Figure, FreshModel, Intervention, StoredRun, Tested, figure_of, read_test
from bifrons.report.fields import Node
from bifrons.report.numbers import DASH, p_value, signed, significant
from bifrons.report.table import Column, Datum, Entry, Note, Reasons, Table

AGAINST_ZERO, AGAINST_INTER = "against 0", "against inter-task"
TASKS = ("understanding", "generation")


def statistics_table(fresh: FreshModel) -> Table:
    """Every figure with its interval, and the test that belongs to it."""
    stats, reasons = fresh.statistics, Reasons()
    lines: list[tuple[str, str, Figure, str, Tested | None]] = [
        ("Cosine", "inter-task", figure_of(stats, "cosine"), AGAINST_ZERO, read_test(stats, "cosine_against_zero")),
        ("", "inter-task, block bootstrap", figure_of(stats, "cosine_blocks"), "", None),
    ]
    for task in TASKS:
        own = stats.node(task)
        for name, label in (
            ("consecutive", "consecutive batches, block bootstrap"),
            ("disjoint", "disjoint pairs of batches"),
        ):
            test = read_test(own, f"against_{name}")
            lines.append((f"Cosine, {task} with itself", label, figure_of(own, name), AGAINST_INTER, test))
        lines.append(("", "the same", figure_of(own, "disjoint"), AGAINST_ZERO, read_test(own, "above_zero")))
    lines += [
        ("Ratio, generation over understanding", "mean", figure_of(stats, "ratio"), "", None),
        ("", "geometric mean", figure_of(stats, "ratio_geometric"), "", None),
        ("", "coefficient of variation, bootstrap", figure_of(stats, "ratio_variation"), "", None),
        ("Token ratio", "mean", figure_of(stats, "tokens"), "", None),
        ("Ratio over token ratio", "geometric mean", figure_of(stats, "per_token"), "", None),
    ]
    lines += [
        (f"Signal share, {task}", "block bootstrap", figure_of(stats.node(task), "signal"), "", None) for task in TASKS
    ]
    slope = figure_of(stats.node("uniformity"), "slope")
    lines.append(("Change of the cosine by layer", "mean of the batches' slopes", slope, "", None))
    return Table(
        name="gradients",
        caption="Statistics of the two task gradients over mini-batches of one pair a task, without training: 95% "
        "intervals, two-sided tests, Cohen's d.",
        columns=(
            Column("Quantity", numeric=False),
            Column("Figure", numeric=False),
            Column("Value"),
            Column("n"),
            Column("Test", numeric=False),
            Column("t"),
            Column("p"),
            Column("d"),
        ),
        rows=tuple(statistics_row(line, reasons) for line in lines),
        data=tuple(statistics_record(line) for line in lines),
        notes=(
            Note(
                "",
                "Disjoint pairs of batches share no batch; consecutive ones do, so their Welch test takes values "
                "as independent that are not quite. Signal share: squared length of the mean gradient over the mean "
                "squared length.",
            ),
            *reasons.notes,
        ),
    )


def statistics_row(line: tuple[str, str, Figure, str, Tested | None], reasons: Reasons) -> tuple[Entry, ...]:
    quantity, label, figure, against, test = line
    marks = reasons.mark(figure.reason) if figure.interval is None else ""
    value = Entry(DASH if figure.value is None else significant(figure.value), small=ends_text(figure), marks=marks)
    if test is None:
        tests = [Entry("")] * 4
    elif test.p is None:
        tests = [Entry(against), Entry(DASH, marks=reasons.mark(test.reason)), Entry(DASH), Entry(DASH)]
    else:
        tests = [Entry(against), Entry(signed(test.t, 2)), Entry(p_value(test.p)), Entry(signed(test.cohens_d, 2))]
    return (Entry(quantity), Entry(label), value, Entry(DASH if figure.n is None else f"{figure.n:,}"), *tests)


def statistics_record(line: tuple[str, str, Figure, str, Tested | None]) -> dict[str, Datum]:
    quantity, label, figure, against, test = line
    return {
        "quantity": quantity,
        "figure": label,
        "value": figure.value,
        "ci95_low": figure.low,
        "ci95_high": figure.high,
        "n": figure.n,
        "test": against,
        "t": None if test is None else test.t,
        "p": None if test is None else test.p,
        "cohens_d": None if test is None else test.cohens_d,
        "reason": figure.reason or (test.reason if test else ""),
    }


def ends_text(figure: Figure) -> str:
    """`[low, high]` with three significant digits, a group of words that does not break."""
    if figure.interval is None:
        return ""
    return f"[{significant(figure.interval[0])},\u00a0{significant(figure.interval[1])}]"


def law_table(found: Intervention) -> Table:
    """Slopes and factors of the fitted laws."""
    reasons = Reasons()
    names = (
        ("ratio", "Ratio of norms on token ratio"),
        ("generation", "Generation norm on its tokens"),
        ("understanding", "Understanding norm on its tokens"),
        ("differing", "Ratio of norms on ratio of tokens after the first difference"),
    )
    rows, data = [], list[dict[str, Datum]]()
    for name, label in names:
        law = found.fit.node(name)
        slope, factor, explained = figure_of(law, "slope"), figure_of(law, "factor"), law.number("r_squared")
        entries = [figure_entry(slope, reasons), figure_entry(factor, reasons)]
        n = Entry(DASH if slope.n is None else f"{slope.n:,}")
        rows.append((Entry(label), *entries, Entry(DASH if explained is None else significant(explained, 2)), n))
        data.append(law_record(label, slope, factor, explained))
    uncut = figure_of(found.fit, "uncut")
    n = Entry(DASH if uncut.n is None else f"{uncut.n:,}")
    label = "Ratio of norms on token ratio, whole pairs, no intervention"
    rows.append((Entry(label), figure_entry(uncut, reasons), Entry(""), Entry(""), n))
    data.append(law_record(label, uncut, None, None))
    return Table(
        name="token_law",
        caption="Laws norm = factor * tokens ^ slope, fitted on logarithms within each batch and averaged over "
        "batches, with 95% intervals. The factor of a ratio is the ratio at equal token counts.",
        columns=(
            Column("Law", numeric=False),
            Column("Slope"),
            Column("Factor"),
            Column("R squared"),
            Column("Batches"),
        ),
        rows=tuple(rows),
        data=tuple(data),
        notes=tuple(reasons.notes),
    )


def figure_entry(figure: Figure, reasons: Reasons) -> Entry:
    marks = reasons.mark(figure.reason) if figure.interval is None else ""
    return Entry(DASH if figure.value is None else significant(figure.value), small=ends_text(figure), marks=marks)


def law_record(label: str, slope: Figure, factor: Figure | None, explained: float | None) -> dict[str, Datum]:
    return {
        "law": label,
        "slope": slope.value,
        "slope_low": slope.low,
        "slope_high": slope.high,
        "factor": factor.value if factor else None,
        "factor_low": factor.low if factor else None,
        "factor_high": factor.high if factor else None,
        "r_squared": explained,
        "n": slope.n,
        "reason": slope.reason,
    }


def cuts_table(found: Intervention) -> Table:
    """The ratio of norms at every choice of cuts."""
    reasons = Reasons()
    rows = [
        (
            Entry(cut_text(point.understanding)),
            Entry(cut_text(point.generation)),
            Entry(DASH if point.tokens.value is None else significant(point.tokens.value)),
            figure_entry(point.ratio, reasons),
            Entry(DASH if point.ratio.n is None else f"{point.ratio.n:,}"),
        )
        for point in found.points
    ]
    data: list[dict[str, Datum]] = [
        {
            "answer_tokens": cut_text(point.understanding),
            "codes": cut_text(point.generation),
            "token_ratio": point.tokens.value,
            "norm_ratio": point.ratio.value,
            "ci95_low": point.ratio.low,
            "ci95_high": point.ratio.high,
            "n": point.ratio.n,
            "reason": point.ratio.reason,
        }
        for point in found.points
    ]
    return Table(
        name="token_cuts",
        caption="Ratio of gradient norms, generation over understanding, with only the first tokens of answers and the "
        "first codes of drawings scored: geometric means over batches.",
        columns=(
            Column("Answer tokens", numeric=False),
            Column("Codes", numeric=False),
            Column("Token ratio"),
            Column("Norm ratio"),
            Column("Batches"),
        ),
        rows=tuple(rows),
        data=tuple(data),
        notes=tuple(reasons.notes),
    )


def cut_text(first: int | None) -> str:
    return "all" if first is None else f"first {first}"


def replay_table(run: StoredRun) -> Table | None:
    """Weights of the run and of replayed strategies."""
    if not run.replays:
        return None
    rows, data = [], list[dict[str, Datum]]()
    for place, each in enumerate(run.replays):
        line = [Entry(each.strategy, small="as trained" if place == 0 else "replayed")]
        record: dict[str, Datum] = {"strategy": each.strategy, "source": "recorded" if place == 0 else "replayed"}
        for task in TASKS:
            values: tuple[float, ...] = getattr(each, task)
            middle, low, high = statistics.median(values), min(values), max(values)
            line.append(Entry(significant(middle), small=f"{significant(low)} to {significant(high)}"))
            record |= {f"median_{task}": middle, f"smallest_{task}": low, f"largest_{task}": high}
        share = each.generation_share
        line += [Entry(DASH if share is None else f"{100 * share:.1f}%"), Entry(f"{each.flagged:,}")]
        rows.append(tuple(line))
        data.append(record | {"generation_share": share, "flagged": each.flagged})
    return Table(
        name="replay",
        caption="Weights of each strategy along the recorded run: median, smallest and largest over its steps.",
        columns=(
            Column("Strategy", numeric=False),
            Column("w_U"),
            Column("w_G"),
            Column("Along generation"),
            Column("Flagged"),
        ),
        rows=tuple(rows),
        data=tuple(data),
        notes=(
            Note(
                "",
                "Replayed weights are those that the strategy would have given at the recorded gradients. Had it "
                "trained, later gradients would have been others: this is not that strategy's result.",
            ),
            Note(
                "",
                "Along generation: mean share of the squared length of the weighted sum that lies along the generation "
                "gradient. Flagged: steps in which the strategy fell back on (1, 1).",
            ),
        ),
    )


def dynamics_lines(run: StoredRun) -> list[str]:
    """What the step records say of cosine, ratio and weights, in sentences."""
    stats = run.statistics
    cosine, ratio, drift = (figure_of(stats, name) for name in ("cosine", "ratio", "drift"))
    near: Node = stats.node("cosine_within")
    found = []
    if cosine.value is None:
        return [f"There is no cosine: {cosine.reason}."]
    verdict, margin = stats.text("verdict"), near.number("margin")
    found.append(
        f"The cosine {verdict} (margin ±{margin:g}): mean {significant(cosine.value)} {ends_text(cosine)} over "
        f"{cosine.n:,} steps, block bootstrap."
        if verdict != "not testable"
        else f"Whether the cosine stays near 0 cannot be tested: {near.text('reason', 'no reason was recorded')}."
    )
    if (largest := stats.number("largest_stretch")) is not None:
        found.append(f"The tenth of the run with the largest mean cosine has {significant(largest)}.")
    if drift.value is not None:
        found.append(f"Over the whole run the cosine drifts by {significant(drift.value)} {ends_text(drift)}.")
    if ratio.value is not None:
        found.append(
            f"The generation gradient is {significant(ratio.value)} {ends_text(ratio)} times as long, on average."
        )
    return found

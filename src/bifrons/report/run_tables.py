"""The tables about the runs themselves: final losses, cells that did not finish, pairs, diagnosis tests, settings."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from bifrons.report.inputs import Cell, Diagnosis, FinalLoss, Results, Study, ordered_variants, setting_text
from bifrons.report.numbers import DASH, p_value, plain, significant
from bifrons.report.runs import Runs
from bifrons.report.table import Column, Datum, Entry, Note, Table
from bifrons.report.tables import method_entry
from bifrons.stats import moments_of

LN_2 = 0.6931471805599453


def training_table(study: Study, results: Results) -> Table | None:
    """Final losses, one row a method and one column a seed, with the mean over seeds; None where none were recorded."""
    if not results.training:
        return None
    seeds = sorted({loss.seed for loss in results.training})
    columns = [Column("Method", numeric=False)]
    for group in ("Understanding loss", "Generation loss"):
        names = [f"seed {seed}" for seed in seeds] + ["mean"]
        columns += [Column(name, group, opens=name == names[0]) for name in names]
    rows = []
    for variant in ordered_variants(study, [loss.variant for loss in results.training]):
        by_seed = {loss.seed: loss for loss in results.training if loss.variant == variant}
        line = [method_entry(study, variant)]
        for task in ("understanding", "generation"):
            values = [getattr(by_seed.get(seed), task, None) for seed in seeds]
            known = [value for value in values if value is not None]
            line += [Entry(plain(value, 4)) for value in values]
            line.append(Entry(plain(sum(known) / len(known) if known else None, 4), strong=bool(known)))
        rows.append(tuple(line))
    return Table(
        name="training",
        caption="Final losses (mean over the last steps) by method and seed. Both tasks start at ln 2 = 0.6931.",
        columns=tuple(columns),
        rows=tuple(rows),
        data=tuple(loss_record(loss) for loss in results.training),
        notes=(Note("", f"{DASH}: the method does not train this task, or no loss was recorded for that seed."),),
    )


def weights_table(study: Study, runs: Runs) -> Table | None:
    """What each strategy that balances did: its weights over all steps and seeds, and where their ratio settled."""
    rows: list[tuple[Entry, ...]] = []
    data: list[dict[str, Datum]] = []
    for method in study.methods:
        series = runs.values.get(method.name, {})
        weights = [series.get(name) for name in ("weight_understanding", "weight_generation")]
        if weights[0] is None or weights[1] is None:
            continue
        every = [[value for step in sorted(side) for value in side[step]] for side in weights if side is not None]
        if len(every[0]) < 2 or all(len(set(side)) == 1 and side[0] == 1 for side in every):
            continue
        moments = [moments_of(side) for side in every]
        late = [[v for step in sorted(side)[len(side) // 2 :] for v in side[step]] for side in weights if side]
        ratios = [u / g for u, g in zip(*late, strict=True) if g > 0]
        settled = median(ratios) if ratios else None
        shown = [Entry(f"{plain(m.mean, 3)} (SD {plain(m.std, 3)})") for m in moments]
        rows.append((Entry(method.label), *shown, Entry(plain(settled, 2))))
        record: dict[str, Datum] = {"method": method.name, "settled_ratio": settled}
        for side, found in zip(("understanding", "generation"), moments, strict=True):
            record |= {f"mean_{side}": found.mean, f"std_{side}": found.std, f"n_{side}": found.n}
        data.append(record)
    if not rows:
        return None
    columns = ("Weight of understanding", "Weight of generation", "Settled ratio")
    return Table(
        name="weights",
        caption="Weights of the two gradients: mean and standard deviation over all steps and seeds, and the median of "
        "their ratio over the second half.",
        columns=(Column("Method", numeric=False), *(Column(name) for name in columns)),
        rows=tuple(rows),
        data=tuple(data),
        notes=(Note("", "Methods whose weights are 1 and 1 throughout are left out."),),
    )


def spread_table(study: Study, runs: Runs) -> Table | None:
    """How sure estimated log-probabilities are, beside the margins they make; None where none is an estimate."""
    rows: list[tuple[Entry, ...]] = []
    data: list[dict[str, Datum]] = []
    for method in study.methods:
        series = runs.values.get(method.name, {})
        sides = (
            ("understanding", series.get("spread_understanding"), series.get("estimated_margin_understanding")),
            ("generation", series.get("spread_generation"), series.get("estimated_margin_generation")),
        )
        for task, spreads, margins in sides:
            if spreads is None or margins is None:
                continue
            figures = {
                "first_standard_error": tenth(spreads, last=False),
                "last_standard_error": tenth(spreads, last=True),
                "last_margin": tenth(margins, last=True),
            }
            rows.append((Entry(method.label), Entry(task), *(Entry(plain(value, 2)) for value in figures.values())))
            data.append({"method": method.name, "task": task, **figures})
    if not rows:
        return None
    columns = ("Standard error, first tenth", "Standard error, last tenth", "Margin, last tenth")
    return Table(
        name="estimates",
        caption="Log-probabilities that are estimates: standard error of chosen minus rejected, and the margin (nats; "
        "means over steps and seeds).",
        columns=(Column("Method", numeric=False), Column("Task", numeric=False), *(Column(name) for name in columns)),
        rows=tuple(rows),
        data=tuple(data),
        notes=(
            Note(
                "",
                "The error is that of the policy alone. Policy and reference share what is random, so a margin is "
                "surer than this says.",
            ),
        ),
    )


def tenth(by_step: dict[int, list[float]], *, last: bool) -> float:
    """The mean over the first or the last tenth of the steps, one at least."""
    steps = sorted(by_step)
    count = max(1, len(steps) // 10)
    values = [value for step in (steps[-count:] if last else steps[:count]) for value in by_step[step]]
    return sum(values) / len(values)


def loss_record(loss: FinalLoss) -> dict[str, Datum]:
    return {
        "method": loss.variant.method,
        "setting": json.dumps(dict(loss.variant.setting)),
        "seed": loss.seed,
        "loss_understanding": loss.understanding,
        "loss_generation": loss.generation,
    }


def cells_table(study: Study) -> Table | None:
    """The cells that failed or never ran; None where every cell is done."""
    cells = [cell for cell in study.cells if cell.status != "done"]
    if not cells:
        return None
    return Table(
        name="unfinished",
        caption="Cells of the grid that did not finish, and why.",
        columns=tuple(
            Column(name, numeric=name == "Seed") for name in ("Method", "Seed", "Setting", "Status", "Reason")
        ),
        rows=tuple(cell_line(study, cell) for cell in cells),
        data=tuple(
            {
                "method": cell.method,
                "seed": cell.seed,
                "setting": json.dumps(dict(cell.setting)),
                "key": cell.key,
                "status": cell.status,
                "reason": cell.reason,
            }
            for cell in cells
        ),
    )


def cell_line(study: Study, cell: Cell) -> tuple[Entry, ...]:
    texts = (study.method(cell.method).label, str(cell.seed), setting_text(cell.setting) or DASH, cell.status)
    return (*(Entry(text) for text in texts), Entry(cell.reason or "No reason was recorded."))


def pairs_table(study: Study) -> Table | None:
    """Pairs kept, and dropped by cause; None where the study recorded none."""
    if not study.pairs:
        return None
    rows: list[tuple[Entry, ...]] = []
    data: list[dict[str, Datum]] = []
    for task, pairs in study.pairs.items():
        total = pairs.kept + sum(pairs.dropped.values())
        fates = [("kept", pairs.kept), *((f"dropped: {cause}", number) for cause, number in pairs.dropped.items())]
        for place, (fate, number) in enumerate(fates):
            share = f"{100 * number / total:.1f}%" if total else DASH
            rows.append(
                (Entry(task.capitalize() if place == 0 else ""), Entry(fate), Entry(f"{number:,}"), Entry(share))
            )
            data.append({"task": task, "fate": fate, "pairs": number, "share": number / total if total else None})
    return Table(
        name="pairs",
        caption="Preference pairs that were built: kept for training, and dropped by cause.",
        columns=(Column("Task", numeric=False), Column("Fate", numeric=False), Column("Pairs"), Column("Share")),
        rows=tuple(rows),
        data=tuple(data),
    )


def diagnosis_table(diagnosis: Diagnosis | None) -> Table | None:
    """The statistics that the diagnosis stored, as it named them."""
    if diagnosis is None or not diagnosis.tests:
        return None
    return Table(
        name="diagnosis",
        caption="Tests on the gradients of the untrained model, as the diagnosis recorded them.",
        columns=(Column("Statistic", numeric=False), Column("Value")),
        rows=tuple(
            (Entry(spoken(name)), Entry(statistic_text(name, value))) for name, value in diagnosis.tests.items()
        ),
        data=tuple({"statistic": name, "value": value} for name, value in diagnosis.tests.items()),
    )


def settings_table(study: Study) -> Table | None:
    if not study.settings:
        return None
    texts = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in study.settings.items()
    }
    return Table(
        name="settings",
        caption="Settings that every cell shares.",
        columns=(Column("Setting", numeric=False), Column("Value", numeric=False)),
        rows=tuple((Entry(key), Entry(value)) for key, value in texts.items()),
        data=tuple({"setting": key, "value": value} for key, value in texts.items()),
    )


def spoken(name: str) -> str:
    """A stored key in words: `inter_vs_intra.cohens_d` to `inter vs intra: cohens d`."""
    return name.replace(".", ": ").replace("_", " ")


def statistic_text(name: str, value: Any) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool | str | int):
        return str(value)
    return p_value(value) if name.split(".")[-1] in ("p", "p_value") else significant(value)

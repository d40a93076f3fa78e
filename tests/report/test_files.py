# ruff: noqa: RUF001 (real minus signs and dashes are what is tested)
"""Tables and figures as files: CSV gives the inputs back, LaTeX is escaped, SVG stands alone."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from report_study import LAMBDAS, results, study

from bifrons.report.files import escaped, to_csv, to_latex
from bifrons.report.table import Column, Entry, Note, Table, letter

NUMBERS = ("mean", "std", "n", "delta", "welch_t", "p", "cohens_d")


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    return float(text) if text else None


def test_csv_gives_every_input_number_back(full: Path) -> None:
    written = {
        (row["method"], row["metric"], row["setting"]): row
        for name in ("results", "secondary")
        for row in rows_of(full, name)
    }
    inputs = results()["rows"]
    assert len(written) == len(inputs)
    for row in inputs:
        line = written[row["method"], row["metric"], json.dumps(row["setting"])]
        for name in NUMBERS:
            assert number(line[name]) == row[name]
        for name in ("ci95", "delta_ci95"):
            assert [number(line[f"{name}_low"]), number(line[f"{name}_high"])] == (row[name] or [None, None])
        assert line["reason"] == row["reason"]


def test_published_figures_stand_apart(full: Path) -> None:
    lines = {(row["method"], row["metric"]): row for row in rows_of(full, "results")}
    understanding = lines["understanding_only", "vqa_score"]
    assert float(understanding["published_janus_pro_delta_7b"]) == pytest.approx(0.263)
    assert float(understanding["published_janus_pro_delta_1b"]) == pytest.approx(0.38)
    assert float(understanding["published_janus_pro_cohens_d_7b"]) == pytest.approx(0.24, abs=0.005)
    assert lines["base", "vqa_score"]["published_janus_pro_delta_7b"] == ""
    assert lines["rewarded_soup", "vqa_score"]["published_comparable"] == "false"
    assert "published_janus_pro_delta_7b" not in rows_of(full, "secondary")[0]


def test_training_and_pairs_tables(full: Path) -> None:
    losses = {(row["method"], row["seed"]): row for row in rows_of(full, "training")}
    for row in results()["training"]:
        line = losses[row["method"], str(row["seed"])]
        assert number(line["loss_understanding"]) == row["loss_understanding"]
        assert number(line["loss_generation"]) == row["loss_generation"]
    pairs = rows_of(full, "pairs")
    assert sum(int(row["pairs"]) for row in pairs if row["task"] == "understanding") == 1800
    assert rows_of(full, "unfinished")[0]["key"] == "pcgrad-2"


def test_every_table_is_written_twice_and_every_figure_once(full: Path) -> None:
    names = {"results", "secondary", "training", "unfinished", "diagnosis", "pairs", "settings"}
    names |= {"moments", "hyperparameters", "generation_quality", "weights"}
    assert {file.name for file in (full / "tables").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("csv", "tex")
    }
    assert {file.stem for file in (full / "figures").iterdir()} == {
        "effects",
        "gradients",
        "dynamics",
        "layers",
        "pareto",
    }


def test_figures_stand_alone(full: Path) -> None:
    for file in (full / "figures").iterdir():
        text = file.read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "var(--" not in text and "fill: #ffffff" in text
    dynamics = (full / "figures" / "dynamics.svg").read_text(encoding="utf-8")
    assert all(method["label"] in dynamics for method in study()["methods"] if method["kind"] == "train")
    effects = (full / "figures" / "effects.svg").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert all(f"Rewarded soup (λ = {value})" in effects for value in LAMBDAS)


def test_inline_figures_use_only_the_page_s_colours(full: Path) -> None:
    page = (full / "report.html").read_text(encoding="utf-8")
    for picture in re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL):
        assert not re.search(r"#[0-9a-f]{6}\b", re.sub(r'href="#[^"]*"|url\(#[^)]*\)|id="[^"]*"', "", picture))
        assert "font-family: inherit" in picture


def small_table() -> Table:
    return Table(
        name="small",
        caption="Costs of 100% & more",
        columns=(Column("Method", numeric=False), Column("Mean", "A_B"), Column("p", "A_B")),
        rows=(
            (Entry(r"a_b & {c} \ ~ ^ #1", small="λ = 1"), Entry("−0.1 ± 0.2", strong=True), Entry("<0.001", marks="a")),
        ),
        data=({"method": 'a, "b"', "mean": 0.1 + 0.2, "p": None},),
        notes=(Note("a", "50% only"),),
    )


def test_latex_is_escaped() -> None:
    text = to_latex(small_table())
    assert r"a\_b \& \{c\} \textbackslash{} \textasciitilde{} \textasciicircum{} \#1 ($\lambda$ = 1)" in text
    assert r"\textbf{$-$0.1 $\pm$ 0.2} & \textless{}0.001\textsuperscript{a} \\" in text
    assert r"\multicolumn{2}{c}{A\_B}" in text and r"\cmidrule(lr){2-3}" in text
    assert r"\caption{Costs of 100\% \& more}" in text
    assert r"\begin{tabular}{lrr}" in text and "50\\% only" in text
    assert escaped("plain") == "plain"


def test_written_latex_has_no_bare_specials(full: Path) -> None:
    for file in (full / "tables").glob("*.tex"):
        text = file.read_text(encoding="utf-8")
        body = re.sub(r"\\label\{[^}]*\}", "", text)
        assert not re.search(r"(?<!\\)[%#_^]", body), file.name
        assert body.isascii(), file.name


def test_csv_keeps_full_precision_and_quotes() -> None:
    line = next(csv.DictReader(to_csv(small_table()).splitlines()))
    assert line == {"method": 'a, "b"', "mean": "0.30000000000000004", "p": ""}


def test_letters_do_not_run_out() -> None:
    assert [letter(number) for number in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]

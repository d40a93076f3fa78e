# ruff: noqa: RUF001 (real minus signs and dashes are what is tested)
"""The page: what it says, what it leaves out, and that nothing in it is live."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_study import FAILED_REASON, METHODS, dump, results, study, write_study

from bifrons.report import write_report

VOID = {"meta", "img", "link", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn, and collects ids, tags and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def spoken(page: str) -> str:
    """A page's text without tags, blanks squeezed."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").split())


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    return parser


def test_page_is_well_formed_and_self_contained(full: Path) -> None:
    parser = parsed(read(full))
    assert len(parser.ids) == len(set(parser.ids))
    assert "script" not in parser.tags and "link" not in parser.tags
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in parser.addresses)
    assert {address[1:] for address in parser.addresses if address.startswith("#")} <= set(parser.ids)
    assert not re.search(r"@import|url\((?!#)", read(full))


def test_page_names_everything(full: Path) -> None:
    page, text = read(full), spoken(read(full))
    for _, label, _ in METHODS:
        assert label in text
    assert "7 training strategies and 2 post-hoc methods, 60 steps each, under 3 seeds (0, 1 and 2)" in text
    assert "1,300 understanding pairs and 288 generation pairs" in text
    assert "33 of 34 cells finished; 1 failed" in text
    assert "post hoc, not deployable" in text
    assert "Published, Janus-Pro" in text
    assert "ln 2 = 0.6931" in text and "3.4e−5 for generation" in text
    assert "bifrons study STUDY.toml" in text
    assert "torch 2.11.0" in text
    assert "No data: fewer than 50 drawings." in text
    assert page.count("<svg ") == 5
    assert "prefers-color-scheme: dark" in page


def test_user_text_is_escaped(full: Path) -> None:
    page = read(full)
    assert "<script" not in page and "<b>of 60</b>" not in page
    assert page.count("&lt;script&gt;") == 3
    assert "the loss was not finite at step 12 &lt;b&gt;of 60&lt;/b&gt;" in page


@pytest.mark.slow
def test_hostile_labels_and_dollars_pass_through_figures(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=4)
    declared = study()
    declared["methods"][1]["label"] = '$x_1$ <script>alert(1)</script> " font-family: &'
    declared["metrics"][0]["label"] = "<img src=x onerror=alert(1)> $"
    dump(folder / "study.json", declared)
    page = read(write_report(folder).parent)
    parser = parsed(page)
    assert "script" not in parser.tags and "<img src=x" not in page
    assert "$x_1$ &lt;script&gt;" in page


def test_findings_follow_the_intervals(full: Path) -> None:
    text = spoken(read(full))
    assert "Better than base Understanding only +0.260 [+0.076, +0.444]" in text
    assert "Separate adapters (not deployable) +0.260" in text
    assert "Worse than base Generation only −0.60" in text
    assert (
        "Not told apart from base at this sample size Generation only, Naive joint, PCGrad, Length normalized" in text
    )
    assert "no effect" not in text.replace("not evidence of no effect", "")


def test_lower_is_better_turns_the_verdict(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=0, optional=False)
    declared = study()
    declared["metrics"][0]["direction"] = "lower"
    dump(folder / "study.json", declared)
    assert "Worse than base Understanding only +0.260" in spoken(read(write_report(folder).parent))


def test_chosen_likelihood_that_fell_is_flagged(full: Path) -> None:
    text = spoken(read(full))
    assert "Chosen likelihood fell in 6 of 20 runs" in text
    assert "Generation only, generation: seed 0 (−0.38)" in text
    assert "Understanding only, understanding" not in text


def test_missing_seeds_are_shown(full: Path) -> None:
    assert "PCGrad 2 of 3 seeds" in spoken(read(full))


def test_absent_parts_are_named(bare: Path) -> None:
    for file in bare.glob("*/steps.jsonl"):
        file.unlink()
    page = read(write_report(bare).parent)
    text = spoken(page)
    assert "There is no gallery, because the study's folder holds no gallery.json." in text
    assert "Figure 3, training by step, is left out, because no finished training run has step records." in text
    assert "Figure 4, the histograms of cosine and ratio, is left out, because there is neither" in text
    assert "Figure 5, gradients by layer, is left out" in text
    assert "No step records were found for Understanding only, seed 0;" in text
    assert page.count("<svg ") == 2
    parsed(page)


def test_gradients_come_from_naive_joint_without_a_diagnosis(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=30, optional=False)
    text = spoken(read(write_report(folder).parent))
    assert "over 90 batches, along the training of Naive joint" in text


def test_a_study_with_almost_nothing_is_still_reported(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    declared = {"study": "small", "metrics": study()["metrics"], "methods": study()["methods"][:4], "cells": []}
    dump(folder / "study.json", declared)
    dump(folder / "results.json", {"study": "small", "rows": []})
    page = read(write_report(folder).parent)
    parsed(page)
    text = spoken(page)
    assert "No data: No reason was recorded." in text
    assert (
        "Figure 1, the differences from base, is left out" in text
        and "Figure 2, the Pareto picture, is left out" in text
    )
    with (folder / "tables" / "results.csv").open() as file:
        assert [row["mean"] for row in csv.DictReader(file)] == [""] * 8


def test_a_method_without_rows_keeps_its_line_and_reason(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=0, optional=False)
    measured = results()
    measured["rows"] = [row for row in measured["rows"] if row["method"] != "pcgrad"]
    dump(folder / "results.json", measured)
    text = spoken(read(write_report(folder).parent))
    reason = FAILED_REASON.replace("<", "&lt;").replace(">", "&gt;")
    assert f"No data: {reason}." in text


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "results.json",
            lambda value: value["rows"][3].update(mean="high"),
            r"results\.json: rows\[3\]\.mean: expected a finite number",
        ),
        (
            "results.json",
            lambda value: value["rows"][2].update(method="ppo"),
            r"results\.json: rows\[2\]\.method: .*found 'ppo'",
        ),
        (
            "results.json",
            lambda value: value["rows"][2].update(ci95=[1]),
            r"results\.json: rows\[2\]\.ci95: expected \[low, high\]",
        ),
        ("results.json", lambda value: value["rows"].append(value["rows"][0]), r"results\.json: rows\[\d+\]: .* twice"),
        ("results.json", lambda value: value.pop("rows"), r"results\.json: rows: expected a list, found nothing"),
        (
            "study.json",
            lambda value: value["metrics"][0].update(direction="up"),
            r"study\.json: metrics\[0\]\.direction",
        ),
        ("study.json", lambda value: value["cells"][0].update(status="lost"), r"study\.json: cells\[0\]\.status"),
        (
            "study.json",
            lambda value: value["pairs"]["generation"].update(kept=None),
            r"study\.json: pairs\.generation\.kept",
        ),
        (
            "gallery.json",
            lambda value: value["drawings"][0].update(chosen="not a png"),
            r"gallery\.json: drawings\[0\]\.chosen",
        ),
        ("diagnosis.json", lambda value: value["inter_task"][4].update(uu=[]), r"diagnosis\.json: inter_task\[4\]\.uu"),
    ],
)
def test_bad_input_names_the_file_and_the_key(tmp_path: Path, file: str, change, message: str) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=0)
    value = json.loads((folder / file).read_text())
    change(value)
    dump(folder / file, value)
    with pytest.raises(ValueError, match=message):
        write_report(folder)


def test_missing_and_broken_files_are_named(bare: Path) -> None:
    steps = bare / "naive_joint-1" / "steps.jsonl"
    steps.write_text('{"step": 1}\n')
    with pytest.raises(ValueError, match=r"naive_joint-1/steps\.jsonl"):
        write_report(bare)
    (bare / "results.json").unlink()
    with pytest.raises(ValueError, match=r"results\.json: no such file"):
        write_report(bare)


@pytest.mark.slow
def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_study(tmp_path / name, num_steps=20) for name in ("a", "b"))
    assert write_report(first).read_bytes() == write_report(second).read_bytes()
    assert {file.name: file.read_bytes() for file in (first / "figures").iterdir()} == {
        file.name: file.read_bytes() for file in (second / "figures").iterdir()
    }


def test_import_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import bifrons.report; print(bifrons.report.write_report.__name__)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "write_report", done.stderr

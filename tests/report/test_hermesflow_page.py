"""The section on HermesFlow: there where a study has rounds, whole, escaped, and from records alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from report_study import dump, png, write_study

from bifrons.report import write_report


def gap(number: int, judge: str, kind: str = "", value: float = 0.2) -> dict[str, Any]:
    about = {"method": "naive_joint" if number else "base", "setting": {}, "round": number, "seed": 0}
    numbers = {"understanding": 0.8, "generation": 0.8 - value, "control": 0.9, "gap": value, "deficit": value + 0.1}
    intervals = {"gap_interval": [value - 0.05, value + 0.05], "deficit_interval": None}
    return about | numbers | intervals | {"judge": judge, "kind": kind, "num_items": 100, "num_questions": 600}


def rounds() -> dict[str, Any]:
    error = {"agreement": 0.9, "too_kind": 0.07, "too_harsh": 0.03, "yes_bias": -0.02, "chance": 0.5, "unread": 0.0}
    about = {"method": "naive_joint", "setting": {}, "round": 1, "seed": 0}
    condition = {
        "metric": "gap",
        "kind": "",
        "what": "naive_joint, round 1 less base",
        "rule": "the whole interval below 0",
        "estimate": -0.1,
        "interval": [-0.2, -0.01],
        "state": "holds",
    }
    return {
        "records": [about | {"kept": 120, "dropped": {"image missing": 3}, "first_dropped": {"image missing": ["a"]}}],
        "gaps": [
            gap(0, "organism abc"),
            gap(0, "organism abc", "counting"),
            gap(0, "verifier of scenes", "", 0.3),
            gap(1, "organism abc+d"),
        ],
        "judges": [about | error | {"judge": "organism abc+d", "num_questions": 600, "lean": {}}],
        "claims": [
            {
                "text": "The gap <b>narrows</b>.",
                "verdict": "reproduced",
                "reason": "",
                "note": "",
                "conditions": [condition],
            },
            {
                "text": "People prefer it.",
                "verdict": "not testable here",
                "reason": "Nobody votes.",
                "note": "",
                "conditions": [],
            },
        ],
        "example": {
            "id": "a",
            "round": 1,
            "image": png(1),
            "caption": "a <script>alert(1)</script> circle",
            "captions": [{"text": "good", "score": 0.9}, {"text": "bad", "score": 0.1}],
            "drawings": [{"image": png(2), "score": 1.0}, {"image": png(3), "score": 0.5}],
            "questions": [{"text": "is there a circle?", "answer": "yes."}],
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = write_study(tmp_path / "dpo", num_steps=0, optional=False)
    dump(made / "hermesflow.json", rounds())
    return made


def test_the_section_holds_verdicts_gap_judges_and_the_record(folder: Path) -> None:
    page = write_report(folder).read_text(encoding="utf-8")
    for text in (
        "reproduced",
        "Nobody votes.",
        "verifier of scenes",
        "Too kind",
        "3 image missing",
        "Chosen caption (0.90): good",
    ):
        assert text in page, text
    assert "<script>alert" not in page and "<b>narrows</b>" not in page
    assert "Figure 6 of the paper" in page, "what this study cannot show is said"
    assert page.count('id="hermesflow"') == 1


def test_every_number_of_the_gap_is_written_unrounded(folder: Path) -> None:
    write_report(folder)
    rows = list(csv.DictReader((folder / "tables" / "hermesflow_gap.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["gap"]) for row in rows] == [0.2, 0.3, 0.2]
    assert (folder / "figures" / "hermesflow_gap.svg").is_file()


def test_without_rounds_there_is_no_section(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "dpo", num_steps=0, optional=False)
    assert 'id="hermesflow"' not in write_report(folder).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gaps", [{"method": "base"}], "hermesflow.json: gaps"),
        ("example", {"image": "no picture", "caption": "x"}, "a PNG in base64"),
        ("records", [{"method": "base", "setting": {}, "round": 1, "seed": 0}], "hermesflow.json: records"),
    ],
)
def test_a_bad_record_is_named(folder: Path, key: str, value: Any, message: str) -> None:
    dump(folder / "hermesflow.json", rounds() | {key: value})
    with pytest.raises(ValueError, match=message):
        write_report(folder)

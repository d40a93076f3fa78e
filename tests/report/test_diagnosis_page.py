"""The page of a diagnosis: what it says, self-contained and escaped, and what it says where a part is missing."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "diagnostics")]

from made import random_batches, steps_of
from test_page import parsed, spoken

from bifrons.diagnostics import fit_tokens, recommend, replay_steps, run_dynamics, summarise_gradients
from bifrons.diagnostics.cuts import Cut, CutBatch
from bifrons.diagnostics.replay import as_json, recorded
from bifrons.diagnostics.summary import as_tests
from bifrons.records import write_json
from bifrons.report import write_diagnosis

HOSTILE = "<script>alert(1)</script> `<b>`"


def write_fresh(folder: Path, count: int = 40, model: str = "tiny") -> Path:
    batches = random_batches(count, ratio=12.0, signal=2.0)
    summary = summarise_gradients(batches)
    value: dict[str, Any] = {
        "model": model,
        "definition": {"settings": {"rank": 4, "beta": 0.1}},
        "inter_task": [asdict(b.total) | {"layers": [asdict(layer) for layer in b.layers]} for b in batches],
        "intra_understanding": [b.understanding.total.cosine for b in batches if b.understanding],
        "intra_generation": [b.generation.total.cosine for b in batches if b.generation],
        "tests": as_tests(summary),
        "statistics": summary.as_json(),
        "recommendation": asdict(recommend(summary)),
    }
    write_json(folder / "diagnosis.json", value)
    return folder


def write_intervention(folder: Path, count: int = 12) -> None:
    def cuts(tokens: list[int], scale: float) -> tuple[Cut, ...]:
        last = tokens[-1]
        return tuple(Cut(first=None if t == last else t, tokens=t, differing=t, norm=scale * t**0.5) for t in tokens)

    batches = [
        CutBatch(
            batch=i,
            records=("u", "g"),
            understanding=cuts([4, 8, 15 + i], 1 + i / 9),
            generation=cuts([4, 16, 64], 8 + i % 3),
        )
        for i in range(count)
    ]
    write_json(folder / "intervention.json", {"batches": [], "fit": fit_tokens(batches).as_json()})


def write_run(folder: Path, name: str = "naive_joint") -> None:
    steps = steps_of([batch.total for batch in random_batches(60, ratio=12.0, spread=0.4)])
    series = {"cosine": [s.gramian and s.gramian.cosine for s in steps], "ratio": [12.0] * 59 + [None]}
    write_json(folder / "dynamics.json", {"strategy": name, "series": series, **run_dynamics(steps).as_json()})
    replays = [recorded(steps, name), *(replay_steps(steps, other) for other in ("pcgrad", "gradient_weighted"))]
    write_json(folder / "replay.json", as_json(replays))


@pytest.mark.slow
def test_the_whole_page(tmp_path: Path) -> None:
    """All parts, five figures, self-contained, both themes, and the figures of the tables."""
    folder = write_fresh(tmp_path)
    write_intervention(folder)
    write_run(folder)
    page = write_diagnosis(folder).read_text()
    parser, text = parsed(page), spoken(page)
    assert len(parser.ids) == len(set(parser.ids)) and page.count("<svg ") == 5
    assert not parser.tags & {"script", "link"} and all(a.startswith("#") for a in parser.addresses)
    assert "prefers-color-scheme: dark" in page
    assert "Case dominated Strategy fixed_weight" in text
    assert "near-orthogonal" in text and "of its squared length lies along it" in text
    assert "<code>fixed_weight</code>" in page and "`" not in text
    assert "the gradient of every A was exactly 0" in text
    assert "Slope of log norm ratio on log token ratio: 0.500" in text
    assert "not those strategies' results" in text.replace("&#39;", "'")
    assert "this is not that strategy's result" in text.replace("&#39;", "'")
    figures = {file.name for file in (folder / "figures").iterdir()}
    assert figures == {"gradients.svg", "layers.svg", "token-law.svg", "along-run.svg", "replay.svg"}
    with (folder / "tables" / "gradients.csv").open() as file:
        rows = list(csv.DictReader(file))
    stored = json.loads((folder / "diagnosis.json").read_text())["statistics"]
    assert float(rows[0]["value"]) == stored["cosine"]["value"]
    assert float(rows[0]["p"]) == stored["cosine_against_zero"]["p"]
    assert write_diagnosis(folder).read_text() == page, "the same records give the same bytes"


def test_a_fresh_model_alone_says_how_to_get_the_rest(tmp_path: Path) -> None:
    text = spoken(write_diagnosis(write_fresh(tmp_path)).read_text())
    assert "bifrons diagnose --intervention 40" in text and "Along the run" not in text


def test_a_run_alone_needs_no_model(tmp_path: Path) -> None:
    write_run(tmp_path)
    text = spoken(write_diagnosis(tmp_path).read_text())
    assert "no model was loaded" in text and "The cosine stays near 0" in text
    assert "What to train with" not in text


@pytest.mark.parametrize("count", [1, 4])
def test_what_is_absent_has_its_reason(tmp_path: Path, count: int) -> None:
    """One batch: dashes with letters, the letters' reasons below, and neither a 0 nor a NaN in their place."""
    text = spoken(write_diagnosis(write_fresh(tmp_path, count)).read_text())
    assert "too few to recommend anything" in text and "none can be named" in text
    assert "No data: " in text and "nan" not in text.lower()
    if count == 1:
        assert "1 usable batches, and it needs 2" in text and "cannot be tested" in text


def test_names_are_escaped(tmp_path: Path) -> None:
    folder = write_fresh(tmp_path, model=HOSTILE)
    write_run(folder, name=HOSTILE)
    value = json.loads((folder / "diagnosis.json").read_text())
    value["recommendation"]["sentences"] = [HOSTILE]
    write_json(folder / "diagnosis.json", value)
    page = write_diagnosis(folder).read_text()
    assert "<script" not in page and "<b>" not in page.replace("<b>Figure", "")
    assert "<code>&lt;b&gt;</code>" in page
    parsed(page)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("diagnosis.json", lambda v: v.pop("statistics"), r"diagnosis\.json: statistics: expected an object"),
        ("diagnosis.json", lambda v: v["recommendation"].pop("case"), r"diagnosis\.json: recommendation\.case"),
        ("diagnosis.json", lambda v: v["statistics"]["cosine"].update(value="x"), r"statistics\.cosine\.value"),
        ("intervention.json", lambda v: v["fit"].pop("cuts"), r"intervention\.json: fit\.cuts: expected a list"),
        ("dynamics.json", lambda v: v["series"].update(cosine=3), r"dynamics\.json: series\.cosine"),
        ("replay.json", lambda v: v["replays"][0].pop("strategy"), r"replay\.json: replays\[0\]\.strategy"),
    ],
)
def test_bad_input_names_the_file_and_the_key(tmp_path: Path, file: str, change: Any, message: str) -> None:
    folder = write_fresh(tmp_path, 12)
    write_intervention(folder, 4)
    write_run(folder)
    value = json.loads((folder / file).read_text())
    change(value)
    write_json(folder / file, value)
    with pytest.raises(ValueError, match=message):
        write_diagnosis(folder)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither diagnosis\.json nor dynamics\.json"):
        write_diagnosis(tmp_path)

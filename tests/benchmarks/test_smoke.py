"""The benchmarks run and say what they measured. No time is asserted: tests are no place for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import cost, drawing, gradients
from benchmarks.baselines.item_by_item import one
from benchmarks.measure import Paired, Row
from benchmarks.table import read, table, write
from bifrons.protocol import Sampling


def test_gradients_of_the_packed_step_are_those_of_the_plain_one() -> None:
    """On the organism, for both tasks, to 1e-5 of their norm."""
    rows = gradients.run(quick=True, device="cpu")
    assert [row.what.split(":")[0] for row in rows] == ["understanding", "generation"]
    assert all(row.holds and row.ratio is not None and row.ratio > 0 for row in rows)


@pytest.mark.slow
def test_drawing_runs_and_agrees_with_both_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "limits", lambda device: {"float32": 1e11, "bandwidth": 1e10})
    monkeypatch.setattr(drawing, "SIZES", {True: (2,)})
    rows = drawing.run(quick=True, device="cpu")
    assert [row.what for row in rows] == ["drawing 2 images / generate", "drawing 2 images / growing cache"]
    assert all(row.details["codes_agree"] == 1 for row in rows)
    assert all(row.ratio is not None and row.ratio > 0 and row.repeats == 2 for row in rows)


def test_the_estimate_names_its_inputs_and_follows_them() -> None:
    """Half the rates, twice the hours."""
    usual = cost.run(quick=True, device="cpu")
    assert {row.subject for row in usual} == {"janus-pro-1b", "janus-pro-7b"}
    slower = cost.run(quick=True, device="cpu", rates=cost.Rates(0.23, 0.11, 0.195))
    for fast, slow in zip(usual, slower, strict=True):
        assert fast.ratio is not None and slow.ratio == pytest.approx(2 * fast.ratio)
        assert fast.details["inputs"]["rates"] == [0.46, 0.22, 0.39]


def test_a_bound_is_that_of_the_paired_logarithms() -> None:
    """Three ratios 2, 2, 2 leave no doubt; 1, 2, 4 have mean 2 in logarithms and Student's t of two degrees."""
    certain = Paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert certain.ratio == 2 and certain.bound("lower") == pytest.approx(2)
    spread = Paired([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    away = 2 ** (2.919986 / 3**0.5)
    assert spread.bound("lower") == pytest.approx(2 / away, rel=1e-5)
    assert spread.bound("upper") == pytest.approx(2 * away, rel=1e-5)
    assert Paired([1.0], [1.0]).bound("lower") is None


@pytest.mark.parametrize(
    ("known", "holds"),
    [
        ({"ratio": 4.5, "bound": 3.9, "bar": 4.0}, False),  # the bound decides
        ({"ratio": 4.5, "bound": 4.1, "bar": 4.0}, True),
        ({"ratio": 0.49, "bar": 0.5, "better": "lower"}, True),
        ({"ratio": 1.02, "bound": 1.05, "bar": 1.03, "better": "lower"}, False),
        ({"ratio": None, "bar": 4.0, "reason": "no number"}, None),
        ({"ratio": 2.0}, None),
    ],
)
def test_a_bar_holds_by_the_bound(known: dict[str, Any], holds: bool | None) -> None:
    row = Row(benchmark="b", subject="s", what="w", **known)
    assert row.holds is holds
    shown = table([row]).splitlines()[-1]
    assert shown.endswith({True: "yes", False: "NO", None: "-"}[holds])


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    rows = [Row(benchmark="b", subject="s", what="w", ratio=3.0, bound=2.5, bar=2.0, details={"n": 1})]
    write(tmp_path / "results.json", {"cores": 2}, rows, {"b": 1.0})
    assert read(tmp_path / "results.json") == rows
    assert json.loads((tmp_path / "results.json").read_text())["rows"][0]["holds"] is True


def test_the_command_writes_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "r.json"
    assert command.main(["cost", "--quick", "--threads", "1", "--out", str(out), "--utilisation", "0.9"]) == 0
    assert "HermesFlow's curation" in capsys.readouterr().out
    assert json.loads(out.read_text())["machine"]["packages"]["torch"]
    with pytest.raises(SystemExit):
        command.main(["speed"])


def test_an_item_alone_keeps_its_name() -> None:
    assert one(Sampling(items=(7, 9)), 1).items == (9,)
    assert one(Sampling(batch_size=8), 3) == Sampling(items=(3,), batch_size=1)

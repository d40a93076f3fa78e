"""Batches on disk are the batches; a line that a kill cut short is left out, any other bad line is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import random_batches

from bifrons.diagnostics.batches import batch_to_line, read_batches
from bifrons.diagnostics.cuts import Cut, CutBatch, cut_to_line, read_cuts

CUTS = CutBatch(
    batch=0,
    records=("u", "g"),
    understanding=(
        Cut(first=2, tokens=2.0, differing=0.0, norm=None),
        Cut(first=None, tokens=9.5, differing=7, norm=1.5),
    ),
    generation=(Cut(first=None, tokens=64.0, differing=60.0, norm=12.25),),
)


def test_batches_come_back_as_they_were(tmp_path: Path) -> None:
    batches = random_batches(3)
    path = tmp_path / "batches.jsonl"
    path.write_text("".join(f"{batch_to_line(batch)}\n" for batch in batches))
    assert read_batches(path) == batches
    assert read_batches(tmp_path / "none.jsonl") == []


def test_cuts_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "cuts.jsonl"
    path.write_text(f"{cut_to_line(CUTS)}\n")
    assert read_cuts(path) == [CUTS]
    assert read_cuts(tmp_path / "none.jsonl") == []


def test_a_line_cut_short_is_left_out_and_a_bad_one_is_named(tmp_path: Path) -> None:
    line = batch_to_line(random_batches(1)[0])
    path = tmp_path / "batches.jsonl"
    path.write_text(f"{line}\n{line[:40]}")
    assert len(read_batches(path)) == 1
    for bad in ('{"batch": 1}\n', f"{line[:40]}\n{line}\n", "[1]\n"):
        path.write_text(bad)
        with pytest.raises(ValueError, match=r"batches\.jsonl"):
            read_batches(path)
        with pytest.raises(ValueError, match=r"batches\.jsonl"):
            read_cuts(path)

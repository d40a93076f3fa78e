"""What one mini-batch of the intervention leaves behind: gradient norms of the first tokens alone, and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bifrons.records import read_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One task's loss of no more than the `first` tokens of each response (None: of all).

    `tokens` are the mean tokens that were scored, `differing` how many of them stand after the first difference of
    chosen and rejected: what both share adds nothing to the margin (of codes drawn together it does, so that all are
    counted). `norm` is None where nothing differs. `causal` is False of codes drawn together, whose first ones are no
    response of their own.
    """

    first: int | None
    tokens: float
    differing: float
    norm: float | None
    causal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CutBatch:
    """One pair a task, each cut at several places; the last cut of a task is none."""

    batch: int
    records: tuple[str, str]
    understanding: tuple[Cut, ...]
    generation: tuple[Cut, ...]


def cut_to_line(batch: CutBatch) -> str:
    return json.dumps(asdict(batch))


def cut_from_dict(values: dict[str, Any]) -> CutBatch:
    first, second = values["records"]
    return CutBatch(
        batch=values["batch"],
        records=(first, second),
        understanding=tuple(Cut(**cut) for cut in values["understanding"]),
        generation=tuple(Cut(**cut) for cut in values["generation"]),
    )


def read_cuts(path: Path) -> list[CutBatch]:
    """The batches of an intervention, oldest first; none where there is no file. Raises ValueError for bad lines."""
    if not path.is_file():
        return []
    try:
        return [cut_from_dict(values) for values in read_lines(path)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: not batches of an intervention ({type(error).__name__}: {error})") from None

"""What one mini-batch of a diagnosis leaves behind, and its file: JSON lines, so that a killed diagnosis goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bifrons.records import Gramian, read_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Consecutive:
    """Inner products of one task's gradients in the batch before (`uu`) and in this one (`gg`), in total and by
    layer.
    """

    total: Gramian
    layers: tuple[Gramian, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One pair a task: Gramians of the two task gradients, and of each task's gradient with its own one batch before.

    `tokens` are the mean tokens of a response (understanding, generation); `records` the pairs' ids. `largest_a` is the
    largest magnitude in the gradient of any LoRA A, None for an adapter that has none. The consecutive ones are None in
    the first batch.
    """

    batch: int
    records: tuple[str, str]
    tokens: tuple[float, float]
    total: Gramian
    layers: tuple[Gramian, ...]
    understanding: Consecutive | None
    generation: Consecutive | None
    largest_a: float | None

    @property
    def usable(self) -> bool:
        return not self.total.degenerate


def batch_to_line(batch: Batch) -> str:
    return json.dumps(asdict(batch))


def batch_from_dict(values: dict[str, Any]) -> Batch:
    def consecutive(value: dict[str, Any] | None) -> Consecutive | None:
        if value is None:
            return None
        return Consecutive(total=Gramian(**value["total"]), layers=tuple(Gramian(**layer) for layer in value["layers"]))

    first, second = values["records"]
    fields: dict[str, Any] = values | {
        "records": (first, second),
        "tokens": tuple(values["tokens"]),
        "total": Gramian(**values["total"]),
        "layers": tuple(Gramian(**layer) for layer in values["layers"]),
        "understanding": consecutive(values["understanding"]),
        "generation": consecutive(values["generation"]),
    }
    return Batch(**fields)


def read_batches(path: Path) -> list[Batch]:
    """The batches of a diagnosis, oldest first; none where there is no file.

    A last line cut short by a kill is left out. Raises ValueError that names the file for lines that are no batches.
    """
    if not path.is_file():
        return []
    try:
        return [batch_from_dict(values) for values in read_lines(path)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: not batches of a diagnosis ({type(error).__name__}: {error})") from None


def cosines(batches: Sequence[Batch]) -> list[float]:
    return [cosine for batch in batches if (cosine := batch.total.cosine) is not None]


def ratios(batches: Sequence[Batch]) -> list[float]:
    return [ratio for batch in batches if (ratio := batch.total.generation_over_understanding) is not None]

"""What a metric is, and what it gives: per-item scores, kept, and their aggregate by mean unless it says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bifrons.records import Task

Direction = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`task` says whose adapter answers for it when each face has its own. `primary` metrics stand in the main table.

    An `optional` metric is not shown in a study where no model has it. `unit` is empty for shares and scores without
    one. Another `version` of a metric is scored again from the stored responses.
    """

    name: str
    label: str
    task: Task
    direction: Direction
    description: str
    primary: bool = False
    optional: bool = False
    unit: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of one metric by item id. `value` is set for metrics that are no mean of items (F1). `reason` says why
    there are none.
    """

    metric: str
    items: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    reason: str = ""

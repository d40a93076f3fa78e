"""A run's identity and its state on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

RUN_KEY_VERSION = 1
Status = Literal["running", "done", "failed"]


def run_key(definition: dict[str, Any]) -> str:
    """A versioned hash of all that defines a run. Device, paths and worker counts are not part of it.

    Raises TypeError for a value that JSON cannot hold exactly.
    """
    text = json.dumps({"version": RUN_KEY_VERSION, **definition}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a finished run says of itself. Losses are means of its last steps; None for a task that was not trained."""

    key: str
    strategy: str
    seed: int
    steps: int
    loss_understanding: float | None
    loss_generation: float | None
    margin_noise_understanding: float | None
    margin_noise_generation: float | None
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)

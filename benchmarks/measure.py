"""Paired, interleaved repeats, and what is said of them."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean, median, stdev
from typing import Any, Literal

import torch
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Paired:
    """Seconds of both sides, repeat by repeat: entry i of both was measured one right after the other."""

    baseline: list[float]
    ours: list[float]

    @property
    def ratios(self) -> list[float]:
        return [theirs / ours for theirs, ours in zip(self.baseline, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the paired ratios: how many times faster we are."""
        return median(self.ratios)

    def bound(self, side: Literal["lower", "upper"]) -> float | None:
        """One-sided 95% bound of the geometric mean ratio (Student t on logarithms); None below two repeats."""
        logs = [math.log(ratio) for ratio in self.ratios]
        if len(logs) < 2:
            return None
        away = float(student.ppf(LEVEL, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
        return math.exp(mean(logs) - away if side == "lower" else mean(logs) + away)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a number, the bar that it is held against (None: reported only), and what it is made from.

    `better` says on which side of the bar the bound has to lie. `bound` is None where there is only one measurement;
    the number itself is then held against the bar.
    """

    benchmark: str
    subject: str
    what: str
    ratio: float | None
    bound: float | None = None
    bar: float | None = None
    better: Literal["higher", "lower"] = "higher"
    unit: str = "x"
    seconds_baseline: float | None = None
    seconds_ours: float | None = None
    repeats: int = 1
    reason: str = ""  # why there is no number
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """None where there is no bar or no number."""
        measured = self.ratio if self.bound is None else self.bound
        if self.bar is None or measured is None:
            return None
        return measured >= self.bar if self.better == "higher" else measured <= self.bar


def paired(baseline: Callable[[], Any], ours: Callable[[], Any], *, repeats: int, warm: bool = True) -> Paired:
    """Both sides in turn, the first one alternating."""
    if warm:
        baseline()
        ours()
    taken: dict[str, list[float]] = {"baseline": [], "ours": []}
    for repeat in range(repeats):
        sides = [("baseline", baseline), ("ours", ours)]
        for name, work in sides if repeat % 2 == 0 else sides[::-1]:
            taken[name].append(timed(work))
    return Paired(taken["baseline"], taken["ours"])


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call, with garbage collected before it and the device waited for."""
    gc.collect()
    synchronise()
    began = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - began


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def speed_row(
    made: Paired,
    *,
    benchmark: str,
    subject: str,
    what: str,
    bar: float | None = None,
    details: dict[str, Any] | None = None,
) -> Row:
    """A row that says how many times faster than the baseline we are."""
    return Row(
        benchmark=benchmark,
        subject=subject,
        what=what,
        ratio=made.ratio,
        bound=made.bound("lower"),
        bar=bar,
        seconds_baseline=median(made.baseline),
        seconds_ours=median(made.ours),
        repeats=len(made.ours),
        details={"seconds_baseline": made.baseline, "seconds_ours": made.ours, **(details or {})},
    )

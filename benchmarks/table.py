"""Results as a table for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Row


def to_json(row: Row) -> dict[str, Any]:
    return asdict(row) | {"holds": row.holds}


def from_json(known: dict[str, Any]) -> Row:
    return Row(**{name: value for name, value in known.items() if name != "holds"})


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    shown = f"{value:.2e}" if 0 < abs(value) < 1e-2 else f"{value:.2f}"
    return f"{shown} {unit}".strip()


def table(rows: Sequence[Row]) -> str:
    """One line a row: the number, its 95% bound, the bar, and whether it holds."""
    head = ("benchmark", "subject", "what", "number", "95% bound", "bar", "holds")
    lines: list[tuple[str, ...]] = [head]
    for row in rows:
        sign = ">=" if row.better == "higher" else "<="
        lines.append(
            (
                row.benchmark,
                row.subject,
                row.what if not row.reason else f"{row.what}: {row.reason}",
                number(row.ratio, row.unit),
                number(row.bound, row.unit),
                "-" if row.bar is None else f"{sign} {row.bar:g}",
                {True: "yes", False: "NO", None: "-"}[row.holds],
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([shown[0], "  ".join("-" * width for width in widths), *shown[1:]])


def write(path: Path, machine: dict[str, Any], rows: Sequence[Row], seconds: dict[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "seconds": seconds, "rows": [to_json(row) for row in rows]}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def read(path: Path) -> list[Row]:
    return [from_json(known) for known in json.loads(path.read_text(encoding="utf-8"))["rows"]]

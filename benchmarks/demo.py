"""`make demo` after installation: the whole path, in minutes on this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Row

BAR = 4.0
STUDY = Path(__file__).parent.parent / "studies" / "demo.toml"


def run(quick: bool, device: str) -> list[Row]:
    """The demo's own study from nothing, in a folder of its own; with `quick` only its list of cells."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bifrons", "study", str(STUDY), "--out", folder, "--jobs", "2"]
        done = subprocess.run(
            [*command, *(["--dry-run"] if quick else [])], capture_output=True, text=True, check=False
        )
    minutes = (time.perf_counter() - began) / 60
    if done.returncode:
        return [
            Row(benchmark="demo", subject="organism", what="make demo", ratio=None, bar=BAR, reason=done.stderr[-300:])
        ]
    if quick:
        return [Row(benchmark="demo", subject="organism", what="make demo, cells only", ratio=minutes, unit="min")]
    return [
        Row(benchmark="demo", subject="organism", what="make demo", ratio=minutes, bar=BAR, better="lower", unit="min")
    ]

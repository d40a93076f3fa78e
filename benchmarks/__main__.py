"""`python -m benchmarks [NAME ...] [--quick] [--device cuda] [--threads 2] [--out results.json]`

Each benchmark runs in a process of its own, so none inherits another's memory or warm caches.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.table import read, table, write

NAMES = (
    "gradients",
    "drawing",
    "answering",
    "step",
    "trl",
    "diagnosis",
    "curation",
    "growth",
    "cost",
    "demo",
)
RESULTS = Path(__file__).parent / "results.json"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed beside what people use.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run, and no more")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side; all cores without it")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--utilisation", type=float, help="of `cost`: share of the matrix rate")
    parser.add_argument("--bandwidth-share", type=float, help="of `cost`: share of the memory bandwidth")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    names: list[str] = chosen.names or [*NAMES]
    rows, seconds = one(names[0], chosen) if len(names) == 1 else many(names, chosen)
    print(table(rows))
    print(f"{sum(seconds.values()) / 60:.1f} minutes; {chosen.out}")
    return 1 if any(row.reason for row in rows) else 0


def one(name: str, chosen: argparse.Namespace) -> tuple[list[Row], dict[str, float]]:
    """A benchmark in this process."""
    import torch

    torch.set_num_threads(chosen.threads)
    began = time.perf_counter()
    module = import_module(f"benchmarks.{name}")
    if name == "cost":
        default = module.Rates()
        rates = module.Rates(
            utilisation=chosen.utilisation or default.utilisation,
            bandwidth_share=chosen.bandwidth_share or default.bandwidth_share,
        )
        rows = module.run(chosen.quick, chosen.device, rates)
    else:
        rows = module.run(chosen.quick, chosen.device)
    seconds = {name: time.perf_counter() - began}
    save(chosen, rows, seconds)
    return rows, seconds


def many(names: list[str], chosen: argparse.Namespace) -> tuple[list[Row], dict[str, float]]:
    """Each benchmark in a process of its own; one that fails leaves a line that says so. The file is written after
    each, so that a run which is stopped keeps what it measured.
    """
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    environment = os.environ | {"OMP_NUM_THREADS": str(chosen.threads), "MKL_NUM_THREADS": str(chosen.threads)}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            out = Path(folder) / f"{name}.json"
            options = ["--device", chosen.device, "--threads", str(chosen.threads), "--out", str(out)]
            options += ["--quick"] * chosen.quick
            began = time.perf_counter()
            print(f"{name} ...", file=sys.stderr, flush=True)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks", name, *options],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            seconds[name] = time.perf_counter() - began
            if out.is_file():
                rows += read(out)
            else:
                last = (done.stderr.strip().splitlines() or ["no output"])[-1]
                rows.append(Row(benchmark=name, subject="-", what="failed", ratio=None, reason=last[:200]))
            save(chosen, rows, seconds)
    return rows, seconds


def save(chosen: argparse.Namespace, rows: list[Row], seconds: dict[str, float]) -> None:
    from benchmarks.machine import machine

    write(chosen.out, machine(chosen.device), rows, seconds)


if __name__ == "__main__":
    raise SystemExit(main())

"""Independent cells in several processes: each loads the model once and runs with one thread.

A worker that is killed takes its cell with it, and no other: the cell has failed, and a new worker takes its place.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

from bifrons.records import StepRecord
from bifrons.scorers import LengthConstants
from bifrons.study.cells import Cell
from bifrons.study.config import StudyConfig
from bifrons.study.progress import StudyProgress
from bifrons.study.work import Context, Outcome, run_cell, unmet
from bifrons.training.progress import losses_text

SECONDS_BETWEEN_REPORTS = 0.2
Constants = dict[str, LengthConstants]
Job = tuple[Cell, dict[Cell, Outcome], Constants]  # a cell, what became of those it needs, length constants


@dataclass(slots=True)
class Worker:
    """One process, the parent's end of its pipe, and the cell that it runs."""

    process: SpawnProcess
    pipe: Connection
    cell: Cell | None = None


@contextmanager
def crew(config: StudyConfig, folder: Path, jobs: int) -> Iterator[list[Worker]]:
    """So many workers, ended on leaving."""
    workers = [hire(config, folder) for _ in range(jobs)]
    try:
        yield workers
    finally:
        for worker in workers:
            if worker.cell is not None:
                worker.process.terminate()
            with suppress(ConnectionError):
                worker.pipe.send(None)
        for worker in workers:
            worker.process.join()
            worker.pipe.close()


def hire(config: StudyConfig, folder: Path) -> Worker:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = cast(tuple[Connection, Connection], spawn.Pipe())
    process = spawn.Process(target=work, args=(theirs, config, folder), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends with the process
    return Worker(process, ours)


def run_together(
    workers: list[Worker],
    cells: list[Cell],
    outcomes: dict[Cell, Outcome],
    constants: Constants,
    config: StudyConfig,
    folder: Path,
    progress: StudyProgress,
) -> None:
    """Run the cells on the workers, each when what it needs is there; `outcomes` is filled in."""
    waiting = list(cells)

    def close(cell: Cell, outcome: Outcome) -> None:
        outcomes[cell] = outcome
        progress.done(cell.name, outcome.reason)

    while waiting or any(worker.cell for worker in workers):
        for place, worker in enumerate(workers):
            cell = next((c for c in waiting if all(need in outcomes for need in c.needs)), None)
            if worker.cell is None and cell is not None:
                waiting.remove(cell)
                if missing := unmet(outcomes, cell):
                    close(cell, missing)
                    continue
                worker.cell = cell
                progress.cell(cell.name, place)
                with suppress(ConnectionError):  # of a worker that is gone: its silence is heard below
                    worker.pipe.send((cell, {need: outcomes[need] for need in cell.needs}, constants))
        busy = {worker.pipe: place for place, worker in enumerate(workers) if worker.cell}
        for pipe in wait(list(busy)) if busy else ():
            place = busy[pipe]  # type: ignore[index]
            worker = workers[place]
            assert worker.cell is not None
            try:
                message: Any = worker.pipe.recv()
            except (EOFError, ConnectionError):
                worker.process.join()
                close(worker.cell, Outcome(worker.cell, "failed", death(worker.process.exitcode)))
                workers[place] = hire(config, folder)
                continue
            if isinstance(message, Outcome):
                close(worker.cell, message)
                worker.cell = None
            else:
                progress.show(place, *message)


def death(code: int | None) -> str:
    return f"its process was killed by signal {-code}" if code and code < 0 else f"its process ended with code {code}"


def work(pipe: Connection, config: StudyConfig, folder: Path) -> None:
    """The life of a worker: cells come in, reports and outcomes go out, None ends it."""
    import torch

    from bifrons.study.bench import Bench

    torch.set_num_threads(1)
    bench = Bench(config, folder, lambda _: None)
    watcher = Remote(pipe)
    try:
        while (job := pipe.recv()) is not None:
            cell, needs, constants = job
            pipe.send(run_cell(Context(bench, watcher, constants, needs), cell))
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return  # the parent is gone


@dataclass(slots=True)
class Remote:
    """Tells the parent how far a cell is: (what, total, done, figures), a few times a second."""

    pipe: Connection
    told: float = 0.0

    def stepper(self, steps: int) -> Callable[[StepRecord], None]:
        return lambda record: self.tell("training", steps, record.step + 1, losses_text(record))

    def asker(self, num_items: int) -> Callable[[int], None]:
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            self.tell("evaluating", 4 * num_items, done, "")

        return report

    def tell(self, what: str, total: int, done: int, figures: str) -> None:
        if time.monotonic() - self.told > SECONDS_BETWEEN_REPORTS:
            self.told = time.monotonic()
            self.pipe.send((what, total, done, figures))

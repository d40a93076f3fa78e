"""What a running study shows: which cell, its step and losses, and the time left. Without a terminal: a line a cell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bifrons.records import StepRecord
from bifrons.training.progress import losses_text


class StudyProgress:
    """One bar for the cells of the study and one for the steps of the running cell."""

    def __init__(self, *, shown: bool, jobs: int = 1) -> None:
        self.console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=self.console, disable=not shown)
        self.cells: TaskID | None = None
        self.jobs = jobs
        self.rows: list[TaskID] = []
        self.names = [""] * jobs
        self.shown = [""] * jobs
        self.began = time.monotonic()

    def __enter__(self) -> StudyProgress:
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def say(self, what: str) -> None:
        """A line that stays."""
        if not self.bar.disable:
            self.bar.console.print(f"[dim]{time.monotonic() - self.began:6.0f} s[/dim]  {what}", highlight=False)

    def start(self, num_cells: int) -> None:
        self.cells = self.bar.add_task("study", total=num_cells, figures="")
        self.rows = [self.bar.add_task("", total=1, visible=False, figures="") for _ in range(self.jobs)]

    def cell(self, name: str, job: int = 0) -> None:
        """A cell begins, in one of the processes."""
        assert self.cells is not None
        self.names[job] = name if self.jobs > 1 else ""
        self.bar.update(self.cells, description="study" if self.jobs > 1 else name)

    def done(self, name: str, reason: str) -> None:
        assert self.cells is not None
        self.bar.update(self.cells, advance=1)
        if self.jobs == 1:
            self.shown[0] = ""
            self.bar.update(self.rows[0], visible=False)
        self.say(f"{name}: {reason}" if reason else name)

    def stepper(self, steps: int) -> Callable[[StepRecord], None]:
        """A function that is told each training step."""
        return lambda record: self.show(0, "training", steps, record.step + 1, losses_text(record))

    def asker(self, num_items: int) -> Callable[[int], None]:
        """A function that is told how many items of an evaluation are done; an item is asked four times and drawn
        once.
        """
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            self.show(0, "evaluating", 4 * num_items, done, "")

        return report

    def show(self, job: int, what: str, total: int, done: int, figures: str) -> None:
        """How far the running cell of a process is."""
        row = self.rows[job]
        description = f"  {self.names[job]} {what}" if self.names[job] else f"  {what}"
        if self.shown[job] != description:
            self.shown[job] = description
            self.bar.reset(row, total=total, description=description, visible=True, figures="")
        self.bar.update(row, completed=done, figures=figures)

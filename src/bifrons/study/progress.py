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

    def __init__(self, *, shown: bool) -> None:
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
        self.steps: TaskID | None = None
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
        self.steps = self.bar.add_task("", total=1, visible=False, figures="")

    def cell(self, name: str) -> None:
        assert self.cells is not None
        self.bar.update(self.cells, description=name)

    def done(self, name: str, reason: str) -> None:
        assert self.cells is not None and self.steps is not None
        self.bar.update(self.cells, advance=1)
        self.bar.update(self.steps, visible=False)
        self.say(f"{name}: {reason}" if reason else name)

    def stepper(self, steps: int) -> Callable[[StepRecord], None]:
        """A function that is told each training step."""
        steps_id = self.reset("  training", steps)
        return lambda record: self.bar.update(steps_id, completed=record.step + 1, figures=losses_text(record))

    def asker(self, num_items: int) -> Callable[[int], None]:
        """A function that is told how many items of an evaluation are done; an item is asked four times and drawn
        once.
        """
        steps_id = self.reset("  evaluating", 4 * num_items)
        return lambda count: self.bar.update(steps_id, advance=count)

    def reset(self, description: str, total: int) -> TaskID:
        assert self.steps is not None
        self.bar.reset(self.steps, total=total, description=description, visible=True, figures="")
        return self.steps

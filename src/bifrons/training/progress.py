"""A progress bar for one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bifrons.records import StepRecord


def losses_text(record: StepRecord) -> str:
    """`U 0.512  G 0.693`, as far as the tasks were run."""
    parts = [("U", record.understanding), ("G", record.generation)]
    return "  ".join(f"{name} {seen.loss:.3f}" for name, seen in parts if seen is not None)


@contextmanager
def step_progress(name: str, steps: int, done: int, *, shown: bool) -> Iterator[Callable[[StepRecord], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not shown) as bar:
        task = bar.add_task(name, total=steps, completed=done, losses="")
        yield lambda record: bar.update(task, advance=1, losses=losses_text(record))

"""The steps of a run on disk: one line a step, added as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bifrons.records import StepRecord, read_steps, step_to_line, write_text

FILE = "steps.jsonl"


def steps_until(folder: Path, done: int) -> list[StepRecord]:
    """The first `done` steps. Raises ValueError where the file holds fewer than its checkpoint."""
    steps = read_steps(folder / FILE)[:done]
    if len(steps) < done:
        raise ValueError(f"{folder / FILE}: holds {len(steps)} steps, the checkpoint {done}")
    return steps


@contextmanager
def step_log(folder: Path | None, steps: list[StepRecord]) -> Iterator[Callable[[StepRecord], None]]:
    """A function that appends a step to `steps.jsonl`, which is first cut back to those of the checkpoint.

    Each line is handed to the system whole as it is written, so that what stops the run loses no step that was done.
    """
    if folder is None:
        yield lambda _record: None
        return
    write_text(folder / FILE, "".join(f"{step_to_line(step)}\n" for step in steps))
    with (folder / FILE).open("a", encoding="utf-8", buffering=1) as file:
        yield lambda record: print(step_to_line(record), file=file)

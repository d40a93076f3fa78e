"""A run's figures to TensorBoard, trackio or wandb, through accelerate's trackers. By default to none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bifrons.records import StepRecord

TRACKERS = ("tensorboard", "trackio", "wandb")
PROJECT = "bifrons"


@contextmanager
def tracking(
    name: str | None, key: str, folder: Path | None, settings: dict[str, Any]
) -> Iterator[Callable[[StepRecord], None]]:
    """A function that sends a step's figures to the tracker of this name; to none for None."""
    if name is None:
        yield lambda _record: None
        return
    tracker = start_tracker(name, key, folder, settings)
    try:
        yield lambda record: tracker.log(figures(record), step=record.step)
    finally:
        tracker.finish()


def check_tracker(name: str | None, folder: Path | None) -> None:
    """Raises ValueError for a name that is not among `TRACKERS`, and for TensorBoard, which writes files, without a
    folder.
    """
    if name is not None and name not in TRACKERS:
        raise ValueError(f"there is no tracker {name!r}; there are {', '.join(TRACKERS)}")
    if name == "tensorboard" and folder is None:
        raise ValueError("tracker tensorboard writes files, so the run needs a folder (out)")


def start_tracker(name: str, key: str, folder: Path | None, settings: dict[str, Any]) -> Any:
    """accelerate's tracker of this name, for the run of this key. Raises ValueError for one that is not installed."""
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    made = LOGGER_TYPE_TO_CLASS[name]
    PartialState()  # trackers ask it which process they are in
    try:
        tracker = made(key, logging_dir=str(folder)) if made.requires_logging_directory else made(PROJECT)
        tracker.start()
    except ImportError as error:
        raise ValueError(f"tracker {name} is not installed: pip install {name} ({error})") from None
    tracker.store_init_configuration(plain(settings))
    return tracker


def plain(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one flat table of texts and numbers."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= plain(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            flat[prefix + name] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return flat


def figures(record: StepRecord) -> dict[str, float]:
    """What is plotted of a step: losses, margins, cosine, ratio, weights, norm and rate, as far as it has them."""
    found = {
        "weight/understanding": record.weights.understanding,
        "weight/generation": record.weights.generation,
        "norm_before_clip": record.norm_before_clip,
        "learning_rate": record.learning_rate,
    }
    for task, seen in (("understanding", record.understanding), ("generation", record.generation)):
        if seen is not None:
            found |= {f"loss/{task}": seen.loss, f"margin/{task}": seen.margin, f"accuracy/{task}": seen.accuracy}
    if record.gramian is not None and record.gramian.cosine is not None:
        found["gradient/cosine"] = record.gramian.cosine
        ratio = record.gramian.generation_over_understanding
        assert ratio is not None, "a Gramian with a cosine has a ratio"
        found["gradient/generation_over_understanding"] = ratio
    return found

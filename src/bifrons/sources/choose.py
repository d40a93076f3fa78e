"""One function from what a user says of a source to its examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bifrons.sources.coco import coco_examples
from bifrons.sources.example import Example
from bifrons.sources.scenes import scene_examples
from bifrons.sources.split import EVALUATION_SHARE, Side
from bifrons.sources.table import captioned_examples

SourceName = Literal["scenes", "coco", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where pairs and evaluation examples come from. `table` is a file, a folder or a data set's name."""

    source: SourceName = "scenes"
    captions: Path | None = None
    instances: Path | None = None
    images: Path | None = None
    table: str = ""
    evaluation_share: float = EVALUATION_SHARE

    def __post_init__(self) -> None:
        """Raises ValueError that names the setting which is missing, or which this source does not have."""
        needed = {"scenes": (), "coco": ("captions", "images"), "table": ("table",)}[self.source]
        optional = {"scenes": (), "coco": ("instances",), "table": ("images",)}[self.source]
        for name in ("captions", "instances", "images", "table"):
            if name in needed and not getattr(self, name):
                raise ValueError(f"the source {self.source} needs {name}, which is not given")
            if name not in (*needed, *optional) and getattr(self, name):
                raise ValueError(f"the source {self.source} has no {name}")
        if not 0 < self.evaluation_share < 1:
            raise ValueError(f"evaluation_share is {self.evaluation_share}; it has to lie between 0 and 1")

    def examples(self, side: Side, count: int, seed: int) -> list[Example]:
        """`count` examples of a side; the two sides share no image and no prompt, whatever count and seed."""
        if self.source == "coco":
            assert self.captions is not None and self.images is not None
            return coco_examples(
                self.captions,
                self.images,
                self.instances,
                side=side,
                count=count,
                seed=seed,
                evaluation_share=self.evaluation_share,
            )
        if self.source == "table":
            return captioned_examples(
                self.table, self.images, side=side, count=count, seed=seed, evaluation_share=self.evaluation_share
            )
        return scene_examples(side, count, seed)

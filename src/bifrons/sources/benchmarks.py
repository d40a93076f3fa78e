"""One function from what a user says of a benchmark's files to its examples. They only evaluate; none trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bifrons.sources.dsg import dsg_examples
from bifrons.sources.example import Example
from bifrons.sources.geneval import geneval_examples
from bifrons.sources.pope import pope_examples
from bifrons.sources.vqav2 import vqa_examples

BenchmarkName = Literal["pope", "vqav2", "geneval", "dsg"]
SETTINGS: dict[BenchmarkName, tuple[tuple[str, ...], tuple[str, ...]]] = {  # needed, and what may be given beside
    "pope": (("file",), ("images",)),
    "vqav2": (("questions",), ("annotations", "images")),
    "geneval": (("file",), ()),
    "dsg": (("file",), ()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark's own files. `file` and `questions` are a file, a folder or a data set's name; VQAv2's `annotations`
    may be missing where the rows of `questions` hold the answers.
    """

    benchmark: BenchmarkName
    file: str = ""
    questions: str = ""
    annotations: Path | None = None
    images: Path | None = None

    def __post_init__(self) -> None:
        """Raises ValueError that names the setting which is missing, or which this benchmark does not have."""
        needed, optional = SETTINGS[self.benchmark]
        for name in ("file", "questions", "annotations", "images"):
            if name in needed and not getattr(self, name):
                raise ValueError(f"the source {self.benchmark} needs {name}, which is not given")
            if name not in (*needed, *optional) and getattr(self, name):
                raise ValueError(f"the source {self.benchmark} has no {name}")

    def examples(self, count: int) -> list[Example]:
        """The first `count` images of POPE, questions of VQAv2 (an example each) or prompts, or all where there are
        fewer. Raises ValueError that names file and record.
        """
        if self.benchmark == "pope":
            return pope_examples(self.file, self.images, count)
        if self.benchmark == "geneval":
            return geneval_examples(self.file, count)
        if self.benchmark == "dsg":
            return dsg_examples(self.file, count)
        found = vqa_examples(self.questions, self.annotations, self.images, count, num_questions=count)
        return [one for example in found for one in apart(example)]


def apart(example: Example) -> list[Example]:
    """An example for each question: an evaluation asks one question of an example, and VQAv2 wants all."""
    if len(example.questions) == 1:
        return [example]
    return [replace(example, id=f"{example.id}-{i}", questions=(q,)) for i, q in enumerate(example.questions)]

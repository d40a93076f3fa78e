"""The one record that every source yields: an image, what is said of it, and what can be asked about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bifrons.records import content_hash


@dataclass(frozen=True, slots=True)
class Question:
    """A question about an image; `answer` is empty where the truth is not known.

    `choices` are the closed answers of which `answer` is the right one; `answers` are those of several people (VQAv2);
    `needs` are the indices, within the example's questions, of those that have to be true for this one to be (DSG).
    """

    kind: str
    text: str
    answer: str = ""
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a drawing has to show, or with `excluded` must not: at least `count` of `name`, of a colour, in a place.

    `position` is a relation and the index of the wanted thing that it relates to: ("right of", 0). GenEval's own terms.
    """

    name: str
    count: int = 1
    colour: str = ""
    position: tuple[str, int] | None = None
    excluded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An image (encoded bytes), its captions, questions about it, and questions of presence with the answers yes and
    no.

    A benchmark of prompts has no image (empty bytes), one of questions no captions. `source` names where the truth
    comes from, `group` the benchmark's own category.
    """

    id: str
    image: bytes
    captions: tuple[str, ...]
    questions: tuple[Question, ...] = ()
    presence: tuple[Question, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    source: str = "scenes"
    group: str = ""

    @property
    def prompt(self) -> str:
        """The caption that is drawn: the first."""
        if not self.captions:
            raise ValueError(f"example {self.id} of {self.source} has no caption, so nothing can be drawn from it")
        return self.captions[0]

    @property
    def context_keys(self) -> tuple[str, ...]:
        """Content hashes of what training and evaluation must not share: the image and the prompt, where there are
        any.
        """
        image = (content_hash(self.image),) if self.image else ()
        return (*image, prompt_key(self.captions[0])) if self.captions else image


def prompt_key(prompt: str) -> str:
    """The content hash of a prompt, whatever its case and margins."""
    return content_hash(prompt.strip().lower().encode())


def refuse_overlap(training: dict[str, str], evaluation: list[Example]) -> None:
    """Raises ValueError when an evaluation example shares its image or prompt with training (content hash to record
    id).
    """
    for example in evaluation:
        for key in example.context_keys:
            if key in training:
                raise ValueError(
                    f"evaluation example {example.id} shares its image or prompt with training record {training[key]}"
                )


def refuse_twice(name: str, examples: Iterable[Example]) -> None:
    """Raises ValueError that names the file and the id when two examples have the same id."""
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise ValueError(f"{name}: the id {example.id!r} occurs twice")
        seen.add(example.id)

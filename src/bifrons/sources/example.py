"""The one record that every source yields: an image, what is said of it, and what can be asked about it."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.records import content_hash


@dataclass(frozen=True, slots=True)
class Question:
    """A question about an image; `answer` is empty where the truth is not known."""

    kind: str
    text: str
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An image (encoded bytes), its captions, questions about it, and questions of presence with the answers yes and
    no.
    """

    id: str
    image: bytes
    captions: tuple[str, ...]
    questions: tuple[Question, ...] = ()
    presence: tuple[Question, ...] = ()

    @property
    def prompt(self) -> str:
        """The caption that is drawn: the first."""
        return self.captions[0]

    @property
    def context_keys(self) -> tuple[str, str]:
        """Content hashes of what training and evaluation must not share: the image and the prompt."""
        return content_hash(self.image), content_hash(self.prompt.strip().lower().encode())


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

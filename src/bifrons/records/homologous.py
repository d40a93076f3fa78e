"""Homologous data: one image and its caption, what a model says of the image and draws from the caption, and the best
and the worst of each (HermesFlow, arXiv 2502.12148, Section 3). One record gives a pair to each face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bifrons.records.preference import GenerationPair, Provenance, Task, UnderstandingPair

Face = Literal["captions", "drawings"]
FACES: tuple[Face, ...] = ("captions", "drawings")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuestion:
    """A question about an image with its expected answer; `choices` are given for multiple choice alone."""

    kind: str
    text: str
    answer: str
    choices: tuple[str, ...] = ()

    @property
    def yes_no(self) -> bool:
        return self.answer.strip().lower().rstrip(".") in ("yes", "no")

    @property
    def chance(self) -> float | None:
        """What guessing gets: one over the number of possible answers; None for an open question."""
        if self.choices:
            return 1 / len(self.choices)
        return 0.5 if self.yes_no else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One caption or drawing as it was sampled: `tokens` are word ids without the end token, or codes in raster order.

    `score` is None where the scorer could not judge it, or it was cut by the token limit. `round` counts from 1 and
    says which round sampled it; `seed` and the record's id repeat it.
    """

    tokens: tuple[int, ...]
    text: str = ""
    score: float | None = None
    scorer: str = ""
    seed: int = 0
    round: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HomologousRecord:
    """One input with all its samples. `chosen_...` and `rejected_...` index the samples: the standing pair of a face.

    `dropped` is empty for a record that is trained on; else it says why it is not. Raises ValueError for a record
    without image, caption or question, for indices that name no sample, and for a record to train on whose chosen side
    does not score above its rejected one.
    """

    id: str
    image: bytes
    caption: str
    question: str
    captions: tuple[Sample, ...] = ()
    drawings: tuple[Sample, ...] = ()
    chosen_caption: int | None = None
    rejected_caption: int | None = None
    chosen_drawing: int | None = None
    rejected_drawing: int | None = None
    questions: tuple[JudgeQuestion, ...] = ()
    round: int = 1
    model: str = ""
    revision: str = ""
    dropped: str = ""
    details: dict[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("caption", "question"):
            if not getattr(self, name).strip():
                raise ValueError(f"homologous record {self.id!r} has no {name}")
        if not self.image and not self.dropped:
            raise ValueError(f"homologous record {self.id!r} has no image")
        for face in FACES:
            pair = self.standing(face)
            if pair is None and not self.dropped:
                raise ValueError(f"homologous record {self.id!r} has no chosen and rejected {face}")
            if pair is not None and not self.dropped:
                chosen, rejected = pair
                if chosen.score is None or rejected.score is None or not chosen.score > rejected.score:
                    raise ValueError(f"homologous record {self.id!r}: chosen {face} do not score above rejected")

    @property
    def kept(self) -> bool:
        return not self.dropped

    def standing(self, face: Face) -> tuple[Sample, Sample] | None:
        """The winner and the loser of a face, whether they are trained on or not; None where there are none."""
        samples = self.captions if face == "captions" else self.drawings
        name = face.removesuffix("s")
        places: list[int | None] = [getattr(self, f"chosen_{name}"), getattr(self, f"rejected_{name}")]
        found: list[Sample] = []
        for place in places:
            if place is None:
                return None
            if not 0 <= place < len(samples):
                raise ValueError(f"homologous record {self.id!r}: there is no sample {place} among its {face}")
            found.append(samples[place])
        return found[0], found[1]


def homologous_pairs(records: Sequence[HomologousRecord]) -> tuple[list[UnderstandingPair], list[GenerationPair]]:
    """The two pairs of every kept record: two lists of one order and with the same ids.

    What is trained is what was sampled: word ids and codes are handed on as they are. Raises ValueError for an id that
    occurs twice.
    """
    refuse_twice([record.id for record in records])
    understanding: list[UnderstandingPair] = []
    generation: list[GenerationPair] = []
    for record in records:
        if not record.kept:
            continue
        captions, drawings = record.standing("captions"), record.standing("drawings")
        assert captions is not None and drawings is not None
        understanding.append(
            UnderstandingPair(
                id=record.id,
                image=record.image,
                question=record.question,
                chosen=captions[0].text,
                rejected=captions[1].text,
                chosen_tokens=captions[0].tokens,
                rejected_tokens=captions[1].tokens,
                kind="homologous",
                provenance=provenance_of(record, captions),
            )
        )
        generation.append(
            GenerationPair(
                id=record.id,
                prompt=record.caption,
                chosen_codes=drawings[0].tokens,
                rejected_codes=drawings[1].tokens,
                kind="homologous",
                provenance=provenance_of(record, drawings),
            )
        )
    return understanding, generation


def provenance_of(record: HomologousRecord, pair: tuple[Sample, Sample]) -> Provenance:
    chosen, rejected = pair
    return Provenance(
        builder="homologous",
        model=record.model,
        revision=record.revision,
        scorer=chosen.scorer,
        seed=chosen.seed,
        chosen_score=chosen.score,
        rejected_score=rejected.score,
        details={"round": record.round, "chosen_round": chosen.round, "rejected_round": rejected.round},
    )


def join_pairs(
    understanding: Sequence[UnderstandingPair], generation: Sequence[GenerationPair]
) -> tuple[list[UnderstandingPair], list[GenerationPair], dict[Task, list[str]]]:
    """Pairs of both faces joined by id, in the order of the first list, and the ids of each that have no partner.

    Raises ValueError for an id that occurs twice in a list.
    """
    for pairs in (understanding, generation):
        refuse_twice([pair.id for pair in pairs])
    drawn = {pair.id: pair for pair in generation}
    read = [pair for pair in understanding if pair.id in drawn]
    ids = {pair.id for pair in read}
    alone: dict[Task, list[str]] = {
        "understanding": [pair.id for pair in understanding if pair.id not in ids],
        "generation": [pair.id for pair in generation if pair.id not in ids],
    }
    return read, [drawn[pair.id] for pair in read], alone


def refuse_twice(ids: Sequence[str]) -> None:
    """Raises ValueError that names the first id that occurs twice."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise ValueError(f"the id {name!r} occurs twice")
        seen.add(name)

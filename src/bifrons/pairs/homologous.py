"""Curation of homologous data (HermesFlow, arXiv 2502.12148, Section 3.2): a model captions an image several times and
draws its caption several times; the caption closest to the true one and the drawing judged best win, the worst lose.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bifrons.pairs.question_maker import QUESTION_MAKERS
from bifrons.pairs.side_files import SideFiles
from bifrons.protocol import Answer, Drawing, Sampling, UnifiedModel
from bifrons.records import HomologousRecord, JudgeQuestion, Sample, content_hash, run_key
from bifrons.records.homologous import FACES, refuse_twice
from bifrons.scorers.judge import Judge, Leaning, Verdict, judge_images, leaning, verdict_of
from bifrons.scorers.text_similarity import TextScorer
from bifrons.sources import Example, Question

Report = Callable[[int], None]
QuestionSource = Literal["source", "general", "world"]
CHUNK = 128  # inputs a side file
CAPTION_QUESTION = "Give a caption for this image."  # the paper's
NOT_DESCRIBED = ("description",)  # a whole description is no question to judge a drawing by


@dataclass(frozen=True, slots=True, kw_only=True)
class HomologousInput:
    """An image (encoded bytes; empty where it is missing), its caption, and questions whose answers it should give."""

    id: str
    image: bytes
    caption: str
    questions: tuple[JudgeQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSettings:
    """How samples are made and chosen. A drawing wins only above `min_best` accuracy and above the loser's (both are
    the public code's; the paper says neither).
    """

    question: str = CAPTION_QUESTION
    num_captions: int = 4
    num_drawings: int = 4
    min_best: float = 0.6
    caption_temperature: float = 1.0
    drawing_temperature: float = 1.0
    guidance: float | None = None
    max_new_tokens: int = 64
    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_captions", "num_drawings"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} is {getattr(self, name)}; choosing needs at least 2")
        if not 0 <= self.min_best < 1:
            raise ValueError(f"min_best is {self.min_best}; it has to be at least 0 and below 1")
        if not self.question.strip():
            raise ValueError("question is empty; the model has to be asked for a caption")


def inputs_of(
    examples: Sequence[Example], *, questions: QuestionSource = "source", most: int | None = None, seed: int = 0
) -> list[HomologousInput]:
    """Inputs from a source's examples. Questions are the source's own, or made from the caption that is drawn.

    With `most`, that many questions of an input, of its kinds in turn.
    """
    made: list[HomologousInput] = []
    for example in examples:
        if questions == "source":
            asked = tuple(
                JudgeQuestion(kind=q.kind, text=q.text, answer=q.answer, choices=q.choices)
                for q in (*example.questions, *example.presence)
                if q.answer and q.kind not in NOT_DESCRIBED
            )
        else:
            asked = QUESTION_MAKERS[questions](example.prompt)
        if most is not None:
            asked = in_turn(asked, most, [seed, item_of(example.id)])
        made.append(HomologousInput(id=example.id, image=example.image, caption=example.prompt, questions=asked))
    return made


def with_questions(inputs: Sequence[HomologousInput], asked: Mapping[str, Sequence[Question]]) -> list[HomologousInput]:
    """The inputs with the questions of a file instead (DSG, TIFA), joined by id.

    An input that the file does not know has none, and curation drops and counts it. Raises ValueError where the file
    knows none of the inputs: it is then of other data.
    """
    if not any(given.id in asked for given in inputs):
        raise ValueError(f"the questions are about none of the {len(inputs)} inputs; their ids differ")
    return [
        replace(
            given,
            questions=tuple(
                JudgeQuestion(kind=q.kind, text=q.text, answer=q.answer, choices=q.choices)
                for q in asked.get(given.id, ())
            ),
        )
        for given in inputs
    ]


def in_turn(questions: Sequence[JudgeQuestion], most: int, seed: list[int]) -> tuple[JudgeQuestion, ...]:
    """At most so many questions: shuffled, then one of each kind and answer in turn."""
    order = np.random.default_rng(seed).permutation(len(questions))
    groups: dict[tuple[str, str], list[JudgeQuestion]] = {}
    for place in order:
        question = questions[int(place)]
        groups.setdefault((question.kind, question.answer if question.yes_no else ""), []).append(question)
    taken: list[JudgeQuestion] = []
    while len(taken) < min(most, len(questions)):
        taken += [group.pop() for group in groups.values() if group]
    return tuple(taken[:most])


def item_of(name: str) -> int:
    """A number for the noise of an input, by its id: the order of inputs changes no sample."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")


def seed_of(seed: int, round_number: int, place: int) -> int:
    """The seed of one sample of every input."""
    return (seed * 1000 + round_number) * 1000 + place


class Curator:
    """Samples, scores and chooses. Samples lie on disk by model and settings, whatever their number: 4 of 16 are the
    first 4. `revision` names the weights that sample, adapter included.
    """

    def __init__(
        self,
        model: UnifiedModel,
        inputs: Sequence[HomologousInput],
        settings: CurationSettings,
        scorer: TextScorer,
        judge: Judge,
        *,
        revision: str,
        round_number: int = 1,
        folder: Path | None = None,
        report: Report | None = None,
    ) -> None:
        refuse_twice([given.id for given in inputs])
        self.model, self.settings, self.scorer, self.judge = model, settings, scorer, judge
        self.inputs = [given for given in inputs if given.image and given.questions]
        self.unusable = {given.id: "image missing" for given in inputs if not given.image}
        self.unusable |= {given.id: "no questions" for given in inputs if given.image and not given.questions}
        self.every = list(inputs)
        self.revision, self.round, self.report = revision, round_number, report
        self.judged_so_far: list[tuple[tuple[JudgeQuestion, ...], Verdict]] = []
        shown = [(given.id, content_hash(given.image), given.caption) for given in self.inputs]
        same: dict[str, Any] = {
            **model.identity.samples_by,
            "model": revision,
            "round": round_number,
            "seed": settings.seed,
            "inputs": run_key({"inputs": shown}),
        }
        self.word_files = SideFiles(
            folder,
            same
            | {
                "what": "captions",
                "question": settings.question,
                "temperature": settings.caption_temperature,
                "max_new_tokens": settings.max_new_tokens,
            },
        )
        drawn = same | {
            "what": "drawings",
            "temperature": settings.drawing_temperature,
            "guidance": settings.guidance,
        }
        self.drawing_files = SideFiles(folder, drawn)
        asked = [[asdict(question) for question in given.questions] for given in self.inputs]
        self.judge_files = SideFiles(
            folder, drawn | {"what": "judged", "judge": judge.name, "questions": run_key({"questions": asked})}
        )

    def chunks(self) -> Iterator[tuple[int, list[HomologousInput]]]:
        for start in range(0, len(self.inputs), CHUNK):
            yield start, self.inputs[start : start + CHUNK]

    def sampling(self, place: int, temperature: float, chunk: Sequence[HomologousInput]) -> Sampling:
        settings = self.settings
        return Sampling(
            temperature=temperature,
            guidance=settings.guidance,
            seed=seed_of(settings.seed, self.round, place),
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            items=tuple(item_of(given.id) for given in chunk),
        )

    def captions(self) -> dict[str, list[Sample]]:
        """Samples of each input, scored against its caption; one that is empty or was cut has no score."""
        made: dict[str, list[Sample]] = {given.id: [] for given in self.inputs}
        for place in range(self.settings.num_captions):
            for start, chunk in self.chunks():
                rows = self.word_files.once(f"{place}-{start}", lambda p=place, c=chunk: self.answered(p, c))
                scores = self.scorer.scores([row[0] for row in rows], [given.caption for given in chunk])
                for given, (text, tokens, finished), score in zip(chunk, rows, scores, strict=True):
                    made[given.id].append(
                        Sample(
                            tokens=tuple(tokens),
                            text=text,
                            score=score if text.strip() and finished else None,
                            scorer=self.scorer.name,
                            seed=seed_of(self.settings.seed, self.round, place),
                            round=self.round,
                        )
                    )
        return made

    def answered(self, place: int, chunk: list[HomologousInput]) -> list[list[Any]]:
        sampling = self.sampling(place, self.settings.caption_temperature, chunk)
        questions = [self.settings.question] * len(chunk)
        answers: list[Answer] = self.model.answer(
            [given.image for given in chunk], questions, sampling, report=self.report
        )
        return [[answer.text, list(answer.tokens), answer.finished] for answer in answers]

    def drawings(self) -> dict[str, list[Sample]]:
        """Samples of each input, judged by its questions."""
        made: dict[str, list[Sample]] = {given.id: [] for given in self.inputs}
        for place in range(self.settings.num_drawings):
            for start, chunk in self.chunks():
                codes = self.drawing_files.once(f"{place}-{start}", lambda p=place, c=chunk: self.drawn(p, c))
                scores = self.judged(f"{place}-{start}", chunk, codes)
                for given, row, score in zip(chunk, codes, scores, strict=True):
                    made[given.id].append(
                        Sample(
                            tokens=tuple(row),
                            score=score,
                            scorer=self.judge.name,
                            seed=seed_of(self.settings.seed, self.round, place),
                            round=self.round,
                        )
                    )
        return made

    def drawn(self, place: int, chunk: list[HomologousInput]) -> list[list[int]]:
        sampling = self.sampling(place, self.settings.drawing_temperature, chunk)
        drawings: list[Drawing] = self.model.draw([given.caption for given in chunk], sampling, report=self.report)
        return [list(drawing.codes) for drawing in drawings]

    def judged(self, name: str, chunk: list[HomologousInput], codes: Sequence[Sequence[int]]) -> list[float | None]:
        """Accuracy of each drawing; None where the judge said nothing that can be read."""

        def replies() -> list[list[str]]:
            verdicts = judge_images(self.judge, self.model.decode(codes), [given.questions for given in chunk])
            return [list(verdict.replies) for verdict in verdicts]

        kept = self.judge_files.once(name, replies)
        if self.report:
            self.report(len(chunk))
        verdicts = [verdict_of(given.questions, said) for given, said in zip(chunk, kept, strict=True)]
        self.judged_so_far += zip((given.questions for given in chunk), verdicts, strict=True)
        return [verdict.accuracy for verdict in verdicts]

    @property
    def leaning(self) -> Leaning:
        """Chance level, lean towards yes and unread share of the judge over all that it judged here."""
        return leaning([asked for asked, _ in self.judged_so_far], [verdict for _, verdict in self.judged_so_far])

    def blank(self, given: HomologousInput, dropped: str) -> HomologousRecord:
        """The record of an input that could not be sampled."""
        return HomologousRecord(
            id=given.id,
            image=given.image,
            caption=given.caption,
            question=self.settings.question,
            questions=given.questions,
            round=self.round,
            model=self.model.identity.name,
            revision=self.revision,
            dropped=dropped,
        )


def curate(curator: Curator) -> list[HomologousRecord]:
    """The first round: a record for every input, in order; those that are not trained on say why in `dropped`."""
    captions, drawings = curator.captions(), curator.drawings()
    records: list[HomologousRecord] = []
    for given in curator.every:
        if given.id in curator.unusable:
            records.append(curator.blank(given, curator.unusable[given.id]))
            continue
        said, drawn = captions[given.id], drawings[given.id]
        words, codes = best_and_worst(said), best_and_worst(drawn)
        record = replace(
            curator.blank(given, "not judged yet"),
            captions=tuple(said),
            drawings=tuple(drawn),
            chosen_caption=words[0],
            rejected_caption=words[1],
            chosen_drawing=codes[0],
            rejected_drawing=codes[1],
        )
        records.append(replace(record, dropped=why_dropped(record, curator.settings.min_best)))
    return records


def best_and_worst(samples: Sequence[Sample]) -> tuple[int | None, int | None]:
    """Indices of the highest and of the lowest score, first come first among equals; None without a score.

    Both are the same index where all scored samples are the same sample.
    """
    scored = [(sample.score, place) for place, sample in enumerate(samples) if sample.score is not None]
    if not scored:
        return None, None
    return max(scored, key=lambda pair: (pair[0], -pair[1]))[1], min(scored)[1]


def why_dropped(record: HomologousRecord, min_best: float) -> str:
    """The first reason against training on a record; empty for none."""
    for face in FACES:
        noun = face.removesuffix("s")
        samples = record.captions if face == "captions" else record.drawings
        scored = [sample for sample in samples if sample.score is not None]
        if not scored:
            return f"the judge said nothing about any {noun}" if face == "drawings" else "no caption was finished"
        if len({sample.text or sample.tokens for sample in scored}) < 2:
            return f"fewer than two distinct {face}"
        pair = record.standing(face)
        assert pair is not None
        chosen, rejected = pair
        assert chosen.score is not None and rejected.score is not None
        if not chosen.score > rejected.score:
            return f"no {noun} scores above another"
        if face == "drawings" and not chosen.score > min_best:
            return f"best drawing not above {min_best:g}"
    return ""


def summary_of(records: Sequence[HomologousRecord], num_named: int = 5) -> dict[str, Any]:
    """How many were kept, and how many were dropped by which cause, with the first ids of each."""
    causes = Counter(record.dropped for record in records if record.dropped)
    named = {cause: [record.id for record in records if record.dropped == cause][:num_named] for cause in causes}
    return {"kept": sum(record.kept for record in records), "dropped": dict(causes), "first_dropped": named}

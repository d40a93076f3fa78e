"""All responses of one model that metrics look at, sampled once: answers, yes/no answers and drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bifrons.evaluation.store import ResponseStore
from bifrons.protocol import Answer, Drawing, Sampling, UnifiedModel
from bifrons.records import content_hash
from bifrons.sources import Example, Question

Report = Callable[[int], None]
BATCHES_A_PART = 8  # sampled between two writes of a store


@dataclass(frozen=True, slots=True)
class Answered:
    """One question about one example, and the model's answer. `id` names the item in every run."""

    id: str
    example: Example
    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True)
class Drawn:
    """One example's prompt, and the model's drawing of it."""

    id: str
    example: Example
    drawing: Drawing


@dataclass(frozen=True, slots=True)
class Responses:
    """Either face may be empty: what was not sampled is not scored."""

    answers: tuple[Answered, ...] = ()
    presence: tuple[Answered, ...] = ()
    drawings: tuple[Drawn, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that an evaluation asks, before it is answered; `shown` hashes image and question."""

    example: Example
    question: Question

    @property
    def id(self) -> str:
        return f"{self.example.id}/{self.question.kind}/{self.question.text}"

    @property
    def shown(self) -> str:
        return content_hash(self.example.image + b"\0" + self.question.text.encode())


@dataclass(frozen=True, slots=True)
class Prompted:
    """An example whose prompt is drawn."""

    example: Example

    @property
    def id(self) -> str:
        return self.example.id

    @property
    def shown(self) -> str:
        return content_hash(self.example.prompt.encode())


def questions_of(examples: Sequence[Example]) -> tuple[list[Asked], list[Asked]]:
    """One question of each example that has an image, their kinds in turn, and all questions of presence."""
    seen = [e for e in examples if e.image]
    asked = [Asked(e, e.questions[i % len(e.questions)]) for i, e in enumerate(seen) if e.questions]
    return asked, [Asked(e, question) for e in seen for question in e.presence]


def prompts_of(examples: Sequence[Example]) -> list[Prompted]:
    """The examples that have something to draw."""
    return [Prompted(e) for e in examples if e.captions]


def is_complete(
    store: ResponseStore, examples: Sequence[Example], *, understanding: bool = True, generation: bool = True
) -> bool:
    """Whether every response to these examples is stored, so that no model has to be asked."""
    questions = [row for rows in questions_of(examples) for row in rows] if understanding else []
    answered = all(store.answer(row.id, row.shown) is not None for row in questions)
    prompts = prompts_of(examples) if generation else []
    return answered and all(store.codes(row.id, row.shown) is not None for row in prompts)


def respond(
    model: UnifiedModel,
    examples: Sequence[Example],
    *,
    understanding: bool = True,
    generation: bool = True,
    temperature: float = 0.1,
    guidance: float | None = None,
    max_new_tokens: int = 64,
    batch_size: int = 32,
    seed: int = 0,
    store: ResponseStore | None = None,
    report: Report | None = None,
) -> Responses:
    """One question of each example (their kinds in turn), its presence questions, and its prompt.

    Noise is a function of item id and seed, so examples can be added later without another draw of the first. What
    `store` holds is not sampled again. Raises ValueError for two items of one id.
    """
    store = store or ResponseStore()
    words = Sampling(temperature=temperature, seed=seed, max_new_tokens=max_new_tokens, batch_size=batch_size)
    answers: list[Answered] = []
    presence: list[Answered] = []
    if understanding:
        asked, present = questions_of(examples)
        refuse_twice([row.id for row in (*asked, *present)])
        answers, presence = (answered(model, rows, words, store, report) for rows in (asked, present))
    drawings: list[Drawn] = []
    if generation:
        prompts = prompts_of(examples)
        refuse_twice([row.id for row in prompts])
        codes = Sampling(temperature=temperature, guidance=guidance, seed=seed, batch_size=batch_size)
        drawings = drawn(model, prompts, codes, store, report)
    return Responses(tuple(answers), tuple(presence), tuple(drawings))


def refuse_twice(ids: list[str]) -> None:
    seen: set[str] = set()
    for item in ids:
        if item in seen:
            raise ValueError(f"evaluation item {item!r} occurs twice")
        seen.add(item)


def answered(
    model: UnifiedModel, rows: list[Asked], sampling: Sampling, store: ResponseStore, report: Report | None
) -> list[Answered]:
    missing = [row for row in rows if store.answer(row.id, row.shown) is None]
    if report and len(missing) < len(rows):
        report(len(rows) - len(missing))
    for part in parts(missing, sampling):
        images, questions = [row.example.image for row in part], [row.question.text for row in part]
        made = model.answer(images, questions, named(sampling, [row.id for row in part]), report=report)
        store.add_answers([(row.id, row.shown) for row in part], made)
    found: list[Answered] = []
    for row in rows:
        answer = store.answer(row.id, row.shown)
        assert answer is not None
        found.append(Answered(row.id, row.example, row.question, answer))
    return found


def drawn(
    model: UnifiedModel, rows: list[Prompted], sampling: Sampling, store: ResponseStore, report: Report | None
) -> list[Drawn]:
    known = {row.id: codes for row in rows if (codes := store.codes(row.id, row.shown)) is not None}
    if report and known:
        report(len(known))
    pixels = model.decode(list(known.values())) if known else []
    made = {item: Drawing(known[item], image) for item, image in zip(known, pixels, strict=True)}
    for part in parts([row for row in rows if row.id not in known], sampling):
        ids = [row.id for row in part]
        drawings = model.draw([row.example.prompt for row in part], named(sampling, ids), report=report)
        store.add_drawings([(row.id, row.shown) for row in part], [drawing.codes for drawing in drawings])
        made |= dict(zip(ids, drawings, strict=True))
    return [Drawn(row.id, row.example, made[row.id]) for row in rows]


def parts(rows: list[Any], sampling: Sampling) -> list[list[Any]]:
    size = BATCHES_A_PART * sampling.batch_size
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def named(sampling: Sampling, ids: list[str]) -> Sampling:
    """Noise of each item by its id, wherever in a call it stands."""
    return replace(sampling, items=tuple(int(content_hash(item.encode())[:15], 16) for item in ids))

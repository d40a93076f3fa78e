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
        return content_hash(f"{self.example.context_keys[0]}/{self.question.text}".encode())


def questions_of(examples: Sequence[Example]) -> tuple[list[Asked], list[Asked]]:
    """One question of each example, their kinds in turn, and all questions of presence."""
    asked = [Asked(e, e.questions[i % len(e.questions)]) for i, e in enumerate(examples) if e.questions]
    return asked, [Asked(e, question) for e in examples for question in e.presence]


def is_complete(
    store: ResponseStore, examples: Sequence[Example], *, understanding: bool = True, generation: bool = True
) -> bool:
    """Whether every response to these examples is stored, so that no model has to be asked."""
    questions = [row for rows in questions_of(examples) for row in rows] if understanding else []
    answered = all(store.answer(row.id, row.shown) is not None for row in questions)
    drawings = examples if generation else ()
    return answered and all(store.codes(e.id, e.context_keys[1]) is not None for e in drawings)


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
        refuse_twice([e.id for e in examples])
        codes = Sampling(temperature=temperature, guidance=guidance, seed=seed, batch_size=batch_size)
        drawings = drawn(model, examples, codes, store, report)
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
    model: UnifiedModel, examples: Sequence[Example], sampling: Sampling, store: ResponseStore, report: Report | None
) -> list[Drawn]:
    missing = [e for e in examples if store.codes(e.id, e.context_keys[1]) is None]
    if report and len(missing) < len(examples):
        report(len(examples) - len(missing))
    made: dict[str, Drawing] = {}
    for part in parts(missing, sampling):
        drawings = model.draw([e.prompt for e in part], named(sampling, [e.id for e in part]), report=report)
        store.add_drawings([(e.id, e.context_keys[1]) for e in part], [drawing.codes for drawing in drawings])
        made |= {e.id: drawing for e, drawing in zip(part, drawings, strict=True)}
    kept = {e.id: codes for e in examples if e.id not in made and (codes := store.codes(e.id, e.context_keys[1]))}
    pixels = model.decode(list(kept.values())) if kept else []
    made |= {item: Drawing(kept[item], image) for item, image in zip(kept, pixels, strict=True)}
    return [Drawn(e.id, e, made[e.id]) for e in examples]


def parts(rows: list[Any], sampling: Sampling) -> list[list[Any]]:
    size = BATCHES_A_PART * sampling.batch_size
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def named(sampling: Sampling, ids: list[str]) -> Sampling:
    """Noise of each item by its id, wherever in a call it stands."""
    return replace(sampling, items=tuple(int(content_hash(item.encode())[:15], 16) for item in ids))

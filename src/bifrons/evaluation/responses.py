"""All responses of one model that metrics look at, sampled once: answers, yes/no answers and drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bifrons.protocol import Answer, Drawing, Sampling, UnifiedModel
from bifrons.sources import Example, Question

Report = Callable[[int], None]


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
    report: Report | None = None,
) -> Responses:
    """One question of each example (their kinds in turn), its presence questions, and its prompt. Noise is per item and
    seed.
    """
    words = Sampling(temperature=temperature, seed=seed, max_new_tokens=max_new_tokens, batch_size=batch_size)
    answers: list[Answered] = []
    presence: list[Answered] = []
    if understanding:
        asked = [(e, e.questions[i % len(e.questions)]) for i, e in enumerate(examples) if e.questions]
        present = [(e, question) for e in examples for question in e.presence]
        made = model.answer(
            [e.image for e, _ in asked + present], [q.text for _, q in asked + present], words, report=report
        )
        rows = [Answered(f"{e.id}/{q.kind}/{q.text}", e, q, a) for (e, q), a in zip(asked + present, made, strict=True)]
        answers, presence = rows[: len(asked)], rows[len(asked) :]
    drawings: list[Drawn] = []
    if generation:
        codes = Sampling(temperature=temperature, guidance=guidance, seed=seed, batch_size=batch_size)
        drawn = model.draw([e.prompt for e in examples], codes, report=report)
        drawings = [Drawn(e.id, e, d) for e, d in zip(examples, drawn, strict=True)]
    return Responses(tuple(answers), tuple(presence), tuple(drawings))

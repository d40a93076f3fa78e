"""Understanding pairs: two answers of the model itself, under two wordings and temperatures, ranked by their captions'
content.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bifrons.pairs.built import Built, Report
from bifrons.pairs.samples import Samples
from bifrons.protocol import Answer, Sampling, UnifiedModel
from bifrons.records import Provenance, UnderstandingPair
from bifrons.scorers import content_score
from bifrons.sources import Example

WORDINGS = ("Answer in one sentence.", "Describe in detail.")  # **(ours)**: the paper's wordings are lost
TEMPERATURES = (0.2, 1.0)  # **(ours)**
MIN_MARGIN = 0.5  # on the 0-6 content score, **(ours)**


def understanding_pairs(
    model: UnifiedModel,
    examples: Sequence[Example],
    *,
    wordings: tuple[str, str] = WORDINGS,
    temperatures: tuple[float, float] = TEMPERATURES,
    min_margin: float = MIN_MARGIN,
    max_new_tokens: int = 64,
    batch_size: int = 32,
    seed: int = 0,
    report: Report | None = None,
    samples: Path | None = None,
) -> Built[UnderstandingPair]:
    """One pair a question of each example, where the two answers differ and their scores lie apart.

    The pair's question carries no wording: what is trained is how the plain question is answered. Dropped and counted:
    answers that are empty, cut by the token limit, the same, or closer than `min_margin`. Answers are kept in the file
    `samples`: a build that was killed goes on, and another margin asks the model nothing.
    """
    sampled = Samples(model, samples, report)
    asked = [(example, question) for example in examples for question in example.questions]
    images = [example.image for example, _ in asked]
    sides: list[list[Answer]] = []
    for side, (wording, temperature) in enumerate(zip(wordings, temperatures, strict=True)):
        sampling = Sampling(
            temperature=temperature, seed=2 * seed + side, max_new_tokens=max_new_tokens, batch_size=batch_size
        )
        questions = [f"{question.text} {wording}" for _, question in asked]
        sides.append([answer for _, some in sampled.answers(images, questions, sampling) for answer in some])
    built = Built[UnderstandingPair]()
    for (example, question), first, second in zip(asked, *sides, strict=True):
        if not (first.text and second.text):
            built.dropped["empty answer"] += 1
            continue
        if not (first.finished and second.finished):
            built.dropped["cut by the token limit"] += 1
            continue
        if first.text == second.text:
            built.dropped["same answer"] += 1
            continue
        scores = [content_score(answer.text, example.captions).total for answer in (first, second)]
        if abs(scores[0] - scores[1]) < min_margin:
            built.dropped[f"scores closer than {min_margin}"] += 1
            continue
        detailed_won = scores[1] > scores[0]
        built.notes["second wording won"] += detailed_won
        chosen, rejected = (second, first) if detailed_won else (first, second)
        provenance = Provenance(
            builder="understanding",
            model=model.identity.name,
            revision=model.identity.revision or model.identity.fingerprint,
            scorer="content_score",
            seed=seed,
            chosen_score=max(scores),
            rejected_score=min(scores),
            details={"example": example.id, "wording_of_chosen": wordings[int(detailed_won)]},
        )
        built.pairs.append(
            UnderstandingPair(
                id=f"{example.id}-{question.kind}",
                image=example.image,
                question=question.text,
                chosen=chosen.text,
                rejected=rejected.text,
                chosen_tokens=chosen.tokens,
                rejected_tokens=rejected.tokens,
                kind=question.kind,
                provenance=provenance,
            )
        )
    return built

"""Generation pairs: a real picture against the model's drawing, or two drawings at two temperatures, ranked by a
CLIP.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from bifrons.pairs.built import Built, Report
from bifrons.pairs.samples import Samples
from bifrons.protocol import Sampling, UnifiedModel
from bifrons.records import GenerationPair, Provenance
from bifrons.records.pictures import centre_square, to_image
from bifrons.sources import Example

TEMPERATURES = (0.7, 1.3)  # of model against model, **(ours)**
MIN_MARGIN = 0.5  # CLIP points, of model against model, **(ours)**


class ImageTextScorer(Protocol):
    """A CLIP, as builders see it."""

    name: str

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]: ...


def real_against_generated(
    model: UnifiedModel,
    examples: Sequence[Example],
    clip: ImageTextScorer,
    *,
    guidance: float | None = None,
    batch_size: int = 32,
    seed: int = 0,
    report: Report | None = None,
    samples: Path | None = None,
) -> Built[GenerationPair]:
    """Chosen is the example's own picture, encoded; rejected is what the model draws from its prompt.

    Kept only where the CLIP scores the real picture above the drawing. Of a photograph that is not square the middle is
    taken: the grey bars of padding would tell the two sides apart **(ours)**. Drawings are kept in the file `samples`,
    so that a build that was killed goes on.
    """
    prompts = [example.prompt for example in examples]
    sampling = Sampling(temperature=1.0, guidance=guidance, seed=seed, batch_size=batch_size)
    built = Built[GenerationPair]()
    for chunk, drawn in Samples(model, samples, report).drawings(prompts, sampling):
        some = [examples[i] for i in chunk]
        real = model.encode([centre_square(to_image(example.image, example.id)) for example in some])
        shown = model.decode(real)  # both sides pass through the same decoder, so its blur decides nothing
        scores = clip.scores([*shown, *(d.pixels for d in drawn)], [prompts[i] for i in chunk] * 2)
        for i, example in enumerate(some):
            chosen_score, rejected_score = scores[i], scores[i + len(some)]
            if real[i] == drawn[i].codes:
                built.dropped["drawn exactly like the real picture"] += 1
            elif chosen_score <= rejected_score:
                built.dropped["drawing scored as high as the real picture"] += 1
            else:
                provenance = provenance_of(
                    "real_against_generated", model, clip, seed, (chosen_score, rejected_score), example
                )
                built.pairs.append(
                    GenerationPair(
                        id=f"{example.id}-real",
                        prompt=example.prompt,
                        chosen_codes=real[i],
                        rejected_codes=drawn[i].codes,
                        kind="real_against_generated",
                        provenance=provenance,
                    )
                )
    return built


def model_against_model(
    model: UnifiedModel,
    examples: Sequence[Example],
    clip: ImageTextScorer,
    *,
    temperatures: tuple[float, float] = TEMPERATURES,
    min_margin: float = MIN_MARGIN,
    guidance: float | None = None,
    batch_size: int = 32,
    seed: int = 0,
    report: Report | None = None,
    samples: Path | None = None,
) -> Built[GenerationPair]:
    """Two drawings of each prompt at two temperatures; the one that the CLIP scores higher is chosen. Counts cooler
    wins. Drawings are kept in the file `samples`, so that a build that was killed goes on.
    """
    prompts = [example.prompt for example in examples]
    sampled = Samples(model, samples, report)
    codes: list[list[tuple[int, ...]]] = []
    scores: list[list[float]] = []
    for side, temperature in enumerate(temperatures):
        sampling = Sampling(temperature=temperature, guidance=guidance, seed=2 * seed + side, batch_size=batch_size)
        codes.append([])
        scores.append([])
        for chunk, drawn in sampled.drawings(prompts, sampling):  # scored at once, so that no pixels pile up
            codes[side] += [drawing.codes for drawing in drawn]
            scores[side] += clip.scores([drawing.pixels for drawing in drawn], [prompts[i] for i in chunk])
    cooler = 0 if temperatures[0] <= temperatures[1] else 1
    built = Built[GenerationPair]()
    for i, example in enumerate(examples):
        pair = (scores[0][i], scores[1][i])
        if codes[0][i] == codes[1][i]:
            built.dropped["same drawing"] += 1
        elif abs(pair[0] - pair[1]) < min_margin:
            built.dropped[f"scores closer than {min_margin}"] += 1
        else:
            winner = 0 if pair[0] > pair[1] else 1
            built.notes["cooler drawing won"] += winner == cooler
            provenance = provenance_of("model_against_model", model, clip, seed, (max(pair), min(pair)), example)
            built.pairs.append(
                GenerationPair(
                    id=f"{example.id}-model",
                    prompt=example.prompt,
                    chosen_codes=codes[winner][i],
                    rejected_codes=codes[1 - winner][i],
                    kind="model_against_model",
                    provenance=provenance,
                )
            )
    return built


def provenance_of(
    builder: str, model: UnifiedModel, clip: ImageTextScorer, seed: int, scores: tuple[float, float], example: Example
) -> Provenance:
    return Provenance(
        builder=builder,
        model=model.identity.name,
        revision=model.identity.revision or model.identity.fingerprint,
        scorer=clip.name,
        seed=seed,
        chosen_score=scores[0],
        rejected_score=scores[1],
        details={"example": example.id},
    )

"""How the organism's body learns both tasks at once: answers in words and drawings in codes, from scratch.

What is asked and what is to be drawn is the same in every family; a family brings its two losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from bifrons.organism.fit import fit, generator
from bifrons.organism.pictures import pixels
from bifrons.organism.recipe import BodyStage
from bifrons.protocol import Sampling, UnifiedModel
from bifrons.scenes import (
    DETAILED_WORDING,
    PROMPT_KINDS,
    QUESTION_KINDS,
    SHORT_WORDING,
    QuestionKind,
    Scene,
    captions,
    draw_prompt,
    draw_scene,
    grade,
    question,
    read,
    render,
    request,
    verify,
)

PROMPT_DROPOUT = 0.1
CAPTION_SHARE = 0.75  # of the drawing prompts; the rest are of GenEval's six kinds
DETAILED_SHARE = 0.25  # of the questions without a wording; with one, the wording decides
QUESTION_SHARES: dict[QuestionKind, float] = {  # of the questions that do not ask for presence
    "identification": 2 / 9,
    "counting": 1 / 6,
    "spatial": 1 / 6,
    "attribute": 1 / 6,
    "description": 5 / 18,
}
Asked = list[tuple[str, str]]  # questions about one picture, each with its answer


@dataclass(frozen=True, slots=True)
class Losses:
    """Of pictures [batch, 3, 32, 32] in -1..1 and what is asked about each; of pictures and the prompts that they are
    drawings of, `PROMPT_DROPOUT` of which are left out by chance.
    """

    understanding: Callable[[Tensor, list[Asked]], Tensor]
    generation: Callable[[Tensor, list[str], np.random.Generator], Tensor]


def asked(scene: Scene, presence_share: float, rng: np.random.Generator) -> tuple[str, str]:
    """A question as the organism is taught it, and the answer."""
    kinds = [*QUESTION_SHARES, "presence"]
    shares = [*((1 - presence_share) * share for share in QUESTION_SHARES.values()), presence_share]
    made = question(scene, kinds[int(rng.choice(len(kinds), p=shares))], rng)  # type: ignore[arg-type]
    wording = ("", "", SHORT_WORDING, DETAILED_WORDING)[int(rng.integers(4))]
    detailed = wording == DETAILED_WORDING or (not wording and rng.random() < DETAILED_SHARE)
    return f"{made.text} {wording}".strip(), made.answer_in_detail if detailed else made.answer


def train_body(
    model: UnifiedModel,
    network: nn.Module,
    tokenizer: nn.Module,
    losses: Losses,
    lessons: BodyStage,
    *,
    seed: int,
    out: Path,
) -> None:
    """Train all of the model's `network` but its image tokenizer, in place."""
    stage = lessons.stage
    network.requires_grad_(True).train()
    tokenizer.requires_grad_(False).eval()

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        scenes, prompts = [], []
        for _ in range(stage.batch):
            if rng.random() < CAPTION_SHARE:
                scene = draw_scene(rng, "train")
                prompts.append(captions(scene, rng)[int(rng.integers(5))])
            else:
                prompt, scene = draw_prompt(PROMPT_KINDS[int(rng.integers(len(PROMPT_KINDS)))], rng, "train")
                prompts.append(prompt)
            scenes.append(scene)
        images = pixels(scenes)
        seen = round(stage.batch * lessons.reading_share / lessons.questions_each)
        lines = [
            [asked(scene, lessons.presence_share, rng) for _ in range(lessons.questions_each)]
            for scene in scenes[:seen]
        ]
        understanding = losses.understanding(images[:seen], lines)
        generation = losses.generation(images, prompts, rng)
        return understanding + generation, {"understanding": understanding.item(), "generation": generation.item()}

    fit(network, stage, loss_at, seed=seed, out=out, measure=lambda: validation_figures(model, seed))
    network.requires_grad_(False).eval()


def validation_figures(model: UnifiedModel, seed: int) -> dict[str, float]:
    """Drawing and answering on a few validation scenes."""
    rng = generator(seed, "body-measure", 0)
    scenes = [draw_scene(rng, "validation") for _ in range(64)]
    prompts = [captions(scene, rng)[int(rng.integers(5))] for scene in scenes]
    images = [render(scene) for scene in scenes]
    exact, attributes = drawn_right(model, prompts)
    figures = {"exact": exact, "attributes": attributes}
    for kind in (*QUESTION_KINDS, "presence"):
        questions = [question(scene, kind, rng) for scene in scenes]
        answers = model.answer(
            images, [q.text for q in questions], Sampling(temperature=0, batch_size=64, max_new_tokens=48)
        )
        figures[kind] = float(
            np.mean([grade(kind, q.answer, a.text) is True for q, a in zip(questions, answers, strict=True)])
        )
    short = [draw_prompt(kind, rng, "validation")[0] for kind in PROMPT_KINDS for _ in range(10)]
    return figures | {"geneval": drawn_right(model, short)[0]}


def drawn_right(model: UnifiedModel, prompts: list[str]) -> tuple[float, float]:
    """Exact drawings and right attributes, as shares."""
    verdicts = [
        verify(request(prompt), read(drawing.pixels))
        for prompt, drawing in zip(prompts, model.draw(prompts, Sampling(batch_size=64)), strict=True)
    ]
    return float(np.mean([v.exact for v in verdicts])), float(np.mean([v.attributes_right for v in verdicts]))

"""How the organism's body learns both tasks at once: answers in words and drawings in codes, from scratch.

A tenth of the drawing prompts is replaced by pads, so that guidance has something to push away from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bifrons.models.janus.model import JanusModel
from bifrons.organism.fit import fit, generator
from bifrons.organism.recipe import BodyStage
from bifrons.organism.tokens import latents, nearest, pixels
from bifrons.protocol import Sampling
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


def asked(scene: Scene, presence_share: float, rng: np.random.Generator) -> tuple[str, str]:
    """A question as the organism is taught it, and the answer."""
    kinds = [*QUESTION_SHARES, "presence"]
    shares = [*((1 - presence_share) * share for share in QUESTION_SHARES.values()), presence_share]
    made = question(scene, kinds[int(rng.choice(len(kinds), p=shares))], rng)  # type: ignore[arg-type]
    wording = ("", "", SHORT_WORDING, DETAILED_WORDING)[int(rng.integers(4))]
    detailed = wording == DETAILED_WORDING or (not wording and rng.random() < DETAILED_SHARE)
    return f"{made.text} {wording}".strip(), made.answer_in_detail if detailed else made.answer


def right_padded(rows: list[list[int]], fill: int) -> Tensor:
    length = max(map(len, rows))
    return torch.tensor([row + [fill] * (length - len(row)) for row in rows])


def hidden_states(model: JanusModel, embeds: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model.core.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state


def understanding_loss(
    model: JanusModel, scenes: list[Scene], images: Tensor, presence_share: float, rng: np.random.Generator
) -> Tensor:
    rows, labels = [], []
    for scene in scenes:
        text, answer = asked(scene, presence_share, rng)
        prompt, response = model.prompts.understanding(text), [*model.prompts.response(answer), model.prompts.eos_id]
        rows.append(prompt + response)
        labels.append([-100] * (len(prompt) - 1) + response + [-100])
    ids, target = right_padded(rows, model.prompts.pad_id), right_padded(labels, -100)
    embeds = model.core.language_model.embed_tokens(ids).clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = model.core.get_image_features(images).pooler_output
    embeds[ids == model.prompts.image_id] = seen.float().reshape(-1, embeds.shape[-1])
    hidden = hidden_states(model, embeds)[target != -100]
    return cross_entropy(model.network.lm_head(hidden.float()), target[target != -100])


def generation_loss(model: JanusModel, prompts: list[str], images: Tensor, rng: np.random.Generator) -> Tensor:
    with torch.no_grad():
        codes = nearest(model.core.vqmodel, latents(model.core.vqmodel, images))[0].flatten(1)
    rows = [model.prompts.generation(prompt) for prompt in prompts]
    rows = [model.prompts.unconditional(row) if rng.random() < PROMPT_DROPOUT else row for row in rows]
    ids = right_padded(rows, model.prompts.pad_id)
    length = ids.shape[1] + codes.shape[1] - 1
    embeds = torch.zeros(len(rows), length, model.core.config.text_config.hidden_size)
    embeds[:, : ids.shape[1]] = model.core.language_model.embed_tokens(ids)
    drawn = model.embed_codes(codes[:, :-1])
    where = torch.tensor([len(row) for row in rows])[:, None] + torch.arange(codes.shape[1] - 1)
    embeds = embeds.scatter(1, where[..., None].expand(-1, -1, embeds.shape[-1]), drawn)
    hidden = hidden_states(model, embeds)
    before = torch.cat([where[:, :1] - 1, where], dim=1)
    chosen = hidden.gather(1, before[..., None].expand(-1, -1, hidden.shape[-1]))
    logits = model.core.generation_head(chosen.float())
    return cross_entropy(logits.flatten(0, 1), codes.flatten())


def train_body(model: JanusModel, lessons: BodyStage, *, seed: int, out: Path) -> None:
    """Train everything but the VQ model, in place."""
    stage = lessons.stage
    model.network.requires_grad_(True)
    model.core.vqmodel.requires_grad_(False)
    model.network.train()
    model.core.vqmodel.eval()

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
        answers = round(stage.batch * lessons.reading_share)
        understanding = understanding_loss(model, scenes[:answers], images[:answers], lessons.presence_share, rng)
        generation = generation_loss(model, prompts, images, rng)
        return understanding + generation, {"understanding": understanding.item(), "generation": generation.item()}

    def measure() -> dict[str, float]:
        rng = generator(seed, "body-measure", 0)
        scenes = [draw_scene(rng, "validation") for _ in range(64)]
        prompts = [captions(scene, rng)[int(rng.integers(5))] for scene in scenes]
        images = [render(scene) for scene in scenes]
        verdicts = [
            verify(request(prompt), read(drawing.pixels))
            for prompt, drawing in zip(prompts, model.draw(prompts, Sampling(batch_size=64)), strict=True)
        ]
        figures = {
            "exact": float(np.mean([v.exact for v in verdicts])),
            "attributes": float(np.mean([v.attributes_right for v in verdicts])),
        }
        for kind in (*QUESTION_KINDS, "presence"):
            questions = [question(scene, kind, rng) for scene in scenes]
            answers = model.answer(
                images, [q.text for q in questions], Sampling(temperature=0, batch_size=64, max_new_tokens=48)
            )
            figures[kind] = float(
                np.mean([grade(kind, q.answer, a.text) is True for q, a in zip(questions, answers, strict=True)])
            )
        return figures

    fit(model.network, stage, loss_at, seed=seed, out=out, measure=measure)
    model.network.requires_grad_(False)
    model.network.eval()

"""Is the organism a good subject? Every bar of its model card, measured."""

from __future__ import annotations

from collections import Counter
from math import inf

import numpy as np
import torch
from transformers import CLIPModel

from bifrons.models import load
from bifrons.organism.clip import retrieval
from bifrons.protocol import Sampling, UnifiedModel
from bifrons.scenes import (
    PROMPT_KINDS,
    QUESTION_KINDS,
    captions,
    draw_prompt,
    draw_scene,
    grade,
    presence_question,
    question,
    read_many,
    render,
    request,
    verify,
)
from bifrons.scorers.clip import load_clip

Figure = tuple[
    float, float, float
]  # value, lowest and highest that the bar allows; infinite bounds where there is no bar


def measure(name: str = "organism", num_scenes: int = 400, seed: int = 0) -> dict[str, Figure]:
    """Figures by name, on held-out scenes. Drawing at temperature 1, answers at temperature 0.1."""
    model = load(name)
    return {
        **reader_figures(model, seed),
        **reading_figures(model, num_scenes, seed),
        **drawing_figures(model, num_scenes, seed),
        **clip_figures(seed),
    }


def reader_figures(model: UnifiedModel, seed: int, num_scenes: int = 2000) -> dict[str, Figure]:
    rng = np.random.default_rng([seed, 1])
    scenes = [draw_scene(rng) for _ in range(num_scenes)]
    clean = np.stack([render(scene) for scene in scenes])
    rebuilt = np.stack(model.decode(model.encode(list(clean))))
    shares = []
    for pictures in (clean, rebuilt):
        readings = read_many(pictures)
        shares.append(
            sum(r.scene == s and not r.unreadable for r, s in zip(readings, scenes, strict=True)) / len(scenes)
        )
    return {
        "reader, 2,000 clean renders": (shares[0], 0.995, inf),
        "reader, their VQ reconstructions": (shares[1], 0.97, inf),
    }


def reading_figures(model: UnifiedModel, num_scenes: int, seed: int) -> dict[str, Figure]:
    rng = np.random.default_rng([seed, 2])
    scenes = [draw_scene(rng, "evaluation") for _ in range(num_scenes)]
    images = [render(scene) for scene in scenes]
    sampling = Sampling(temperature=0.1, max_new_tokens=64, batch_size=64)
    found: dict[str, Figure] = {}
    accuracies: list[float] = []
    tokens: list[int] = []
    for kind in (*QUESTION_KINDS, "presence"):
        asked = [
            presence_question(s, i % 2 == 0, rng) if kind == "presence" else question(s, kind, rng)
            for i, s in enumerate(scenes)
        ]
        answers = model.answer(images, [q.text for q in asked], sampling)
        right = [grade(kind, q.answer, a.text) is True for q, a in zip(asked, answers, strict=True)]
        commonest = Counter(q.answer for q in asked).most_common(1)[0][0]
        baseline = float(np.mean([grade(kind, q.answer, commonest) is True for q in asked]))
        accuracy = float(np.mean(right))
        found[f"accuracy, {kind}"] = (accuracy, -inf if kind == "presence" else baseline + 0.15, inf)
        if kind != "presence":
            accuracies.append(accuracy)
            tokens += [len(a.tokens) + 1 for a in answers]
    found["accuracy, the five kinds together"] = (float(np.mean(accuracies)), 0.60, 0.92)
    found["image tokens over mean answer tokens"] = (model.num_image_tokens / float(np.mean(tokens)), 5.0, 15.0)
    return found


def drawing_figures(model: UnifiedModel, num_scenes: int, seed: int) -> dict[str, Figure]:
    rng = np.random.default_rng([seed, 3])
    scenes = [draw_scene(rng, "evaluation") for _ in range(num_scenes)]
    prompts = [captions(scene, rng)[int(rng.integers(5))] for scene in scenes]
    exact, attributes = verified(model, prompts, seed)
    found: dict[str, Figure] = {
        "drawing, exact scenes": (exact, 0.25, 0.80),
        "drawing, attributes right": (attributes, 0.70, inf),
    }
    each = max(20, num_scenes // len(PROMPT_KINDS))
    for kind in PROMPT_KINDS:
        exact, _ = verified(model, [draw_prompt(kind, rng, "evaluation")[0] for _ in range(each)], seed)
        found[f"drawing, GenEval {kind}"] = (exact, -inf, inf)
    return found


def verified(model: UnifiedModel, prompts: list[str], seed: int) -> tuple[float, float]:
    drawings = model.draw(prompts, Sampling(seed=seed, batch_size=64))
    readings = read_many(np.stack([drawing.pixels for drawing in drawings]))
    verdicts = [verify(request(prompt), seen) for prompt, seen in zip(prompts, readings, strict=True)]
    return float(np.mean([v.exact for v in verdicts])), float(np.mean([v.attributes_right for v in verdicts]))


def clip_figures(seed: int) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for name in ("scenes-curation", "scenes-evaluation"):
        scorer = load_clip(name)
        assert isinstance(scorer.network, CLIPModel)
        with torch.inference_mode():
            found[f"CLIP {name}, 1-of-64 retrieval"] = (
                retrieval(scorer.network, scorer.tokenizer, seed, "evaluation"),
                0.9,
                inf,
            )
    return found

"""What Janus's body learns from: the likelihood of answers to seen pictures, and of codes in raster order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bifrons.models.janus.model import JanusModel
from bifrons.organism.body import PROMPT_DROPOUT, Asked
from bifrons.organism.janus.tokens import latents, nearest


def right_padded(rows: list[list[int]], fill: int) -> Tensor:
    length = max(map(len, rows))
    return torch.tensor([row + [fill] * (length - len(row)) for row in rows])


def hidden_states(model: JanusModel, embeds: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model.core.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state


def understanding_loss(model: JanusModel, images: Tensor, asked: list[Asked]) -> Tensor:
    rows, labels, which = [], [], []
    for index, lessons in enumerate(asked):
        for text, answer in lessons:
            prompt, response = (
                model.prompts.understanding(text),
                [*model.prompts.response(answer), model.prompts.eos_id],
            )
            rows.append(prompt + response)
            labels.append([-100] * (len(prompt) - 1) + response + [-100])
            which.append(index)
    ids, target = right_padded(rows, model.prompts.pad_id), right_padded(labels, -100)
    embeds = model.core.language_model.embed_tokens(ids).clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = model.core.get_image_features(images).pooler_output
    embeds[ids == model.prompts.image_id] = seen.float()[which].reshape(-1, embeds.shape[-1])
    hidden = hidden_states(model, embeds)[target != -100]
    return cross_entropy(model.network.lm_head(hidden.float()), target[target != -100])


def generation_loss(model: JanusModel, images: Tensor, prompts: list[str], rng: np.random.Generator) -> Tensor:
    """A tenth of the prompts is replaced by pads, so that guidance has something to push away from."""
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

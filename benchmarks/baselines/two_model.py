"""One multi-task DPO step with two models, as the public code for unified models does it.

A second copy of the network is the reference and stays in memory. Chosen and rejected are separate full rows. The
vision tower runs in every forward of both models. Logits are computed at every position, and those of the prompt thrown
away.
In favour of the baseline: images are preprocessed once, not at every step, the reference runs without a graph, and
log-probabilities are summed in float64, as ours are (in fp32 the rounding of 5,600 nats would show in the gradient).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.models.adapter import quiet
from bifrons.models.janus.model import SITES
from bifrons.protocol import AdapterSettings


class TwoModel:
    """Policy with LoRA and a trained image head, reference, optimizer; `step` is one optimizer step."""

    def __init__(
        self, policy: Any, reference: Any, settings: AdapterSettings, *, beta: float = 0.1, rate: float = 5e-6
    ) -> None:
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # pyright: ignore[reportArgumentType]
            lora_dropout=0.0,
            target_modules=SITES.targets,
            modules_to_save=["generation_head"],
        )
        with quiet():
            self.policy: Any = get_peft_model(policy, config)
        self.reference = reference.requires_grad_(False)
        self.beta = beta
        self.trained = [p for p in self.policy.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=rate, weight_decay=0.01)

    def step(self, understanding: dict[str, Tensor] | None, generation: dict[str, Tensor] | None) -> float:
        """One step on a pair of each task (rows: chosen, rejected); the summed loss."""
        losses = []
        if understanding is not None:
            losses.append(self.loss(understanding_log_probs, understanding))
        if generation is not None:
            losses.append(self.loss(generation_log_probs, generation))
        loss = torch.stack(losses).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def loss(self, log_probs: Any, batch: dict[str, Tensor]) -> Tensor:
        policy = log_probs(self.policy.base_model.model, batch)
        with torch.no_grad():
            reference = log_probs(self.reference, batch)
        chosen, rejected = (policy - reference).chunk(2)
        return -logsigmoid(self.beta * (chosen - rejected)).mean()


def understanding_log_probs(network: Any, batch: dict[str, Tensor]) -> Tensor:
    logits = network(
        input_ids=batch["ids"], attention_mask=batch["mask"], pixel_values=batch["pixels"], use_cache=False
    ).logits
    return summed(logits, batch["ids"], batch["response"])


def generation_log_probs(network: Any, batch: dict[str, Tensor]) -> Tensor:
    words = network.get_input_embeddings()(batch["prompt"])
    codes = network.prepare_embeddings_for_image_generation(batch["codes"])
    embeds = torch.cat((words, codes), dim=1)
    hidden = network.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
    labels = torch.cat((torch.zeros_like(batch["prompt"]), batch["codes"]), dim=1)
    response = torch.cat((torch.zeros_like(batch["prompt"]), torch.ones_like(batch["codes"])), dim=1)
    return summed(network.model.generation_head(hidden), labels, response)


def summed(logits: Tensor, labels: Tensor, response: Tensor) -> Tensor:
    """The log-probability of each row's response, [rows]."""
    each = logits[:, :-1].float().log_softmax(dim=-1).gather(-1, labels[:, 1:, None])[..., 0]
    return (each.double() * response[:, 1:]).sum(dim=1)


def understanding_batch(
    prefix: Sequence[int], responses: Sequence[Sequence[int]], pixels: Tensor, pad_id: int
) -> dict[str, Tensor]:
    """Rows for one pair, padded on the right."""
    longest = len(prefix) + max(map(len, responses))
    rows = [[*prefix, *response] for response in responses]
    return {
        "ids": torch.tensor([row + [pad_id] * (longest - len(row)) for row in rows]),
        "mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        "response": torch.tensor(
            [[0] * len(prefix) + [1] * len(r) + [0] * (longest - len(prefix) - len(r)) for r in responses]
        ),
        "pixels": pixels.repeat(len(rows), 1, 1, 1),
    }


def generation_batch(prompt: Sequence[int], drawings: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Rows for one pair; they are of one length."""
    return {
        "prompt": torch.tensor([list(prompt)] * len(drawings)),
        "codes": torch.tensor([list(drawing) for drawing in drawings]),
    }

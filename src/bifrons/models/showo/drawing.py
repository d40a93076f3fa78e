"""Prompts to codes: all masked at first, then a number of steps that each keep the codes the model is surest of.

Chang et al. 2022, section 3.2, with guidance: every step draws all hidden codes, adds Gumbel noise to the logarithms of
their probabilities, and hides the lowest again, N cos(pi t / 2) of them after a share t of the steps. The noise falls
to 0 with the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bifrons.models.sampling import batches, choose, guided, uniforms
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.showo.packing import code_columns, drawing_rows
from bifrons.models.showo.prompts import Prompts
from bifrons.protocol import Sampling

SMALLEST = 1e-300  # what a uniform number is clamped to before two logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingSettings:
    """`guidance` is u + s (c - u): the published scale g in (1 + g) c - g u is s - 1, and 5 at 512 pixels.

    `compounding` multiplies the noise of each step with what the step before had left of it, as the published sampler
    does (of 18 steps the eighth has less than a tenth of it); else step k of T has 1 - k / T.
    """

    steps: int = 50
    guidance: float = 6.0
    compounding: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"drawing takes {self.steps} steps; it has to be at least 1")
        if self.guidance < 1:
            raise ValueError(f"guidance is {self.guidance}; 1 switches it off and less is not defined")


def draw_codes(
    network: ShowoNetwork,
    prompts: Prompts,
    asked: Sequence[list[int]],
    sampling: Sampling,
    settings: DrawingSettings,
    report: Callable[[int], None] | None = None,
) -> list[tuple[int, ...]]:
    """The codes of one drawing of each prompt (ids). The guidance that counts is the settings'."""
    layout, device = network.layout, network.image_head.weight.device
    length = layout.num_image_tokens
    made: dict[int, tuple[int, ...]] = {}
    for chosen, names in batches([len(ids) for ids in asked], sampling, report):
        rows = [asked[i] for i in chosen] + [prompts.unconditional] * (len(chosen) if settings.guidance > 1 else 0)
        ids, positions, mask = (tensor.to(device) for tensor in drawing_rows(rows, layout))
        columns = code_columns(ids, layout)
        noise = uniforms(sampling.seed, names, 2 * settings.steps * length).view(-1, settings.steps, 2, length)
        codes = torch.full((len(chosen), length), -1, device=device)  # -1 where hidden
        for step in range(settings.steps):
            shown = torch.where(codes < 0, layout.mask, layout.first_code + codes)
            ids[:, columns] = shown.repeat(len(rows) // len(chosen), 1)
            states = guided(network.hidden(ids, positions, mask)[:, columns].float(), settings.guidance)
            heat = sampling.temperature * noise_left(step, settings)
            for row, states_ND in enumerate(states):  # one at a time: the logits of a batch are large, and so alike
                logits_NV = network.code_logits(states_ND)
                codes[row] = refine(logits_NV, codes[row], sampling.temperature, heat, step, settings, noise[row, step])
        made |= dict(zip(chosen, map(tuple, codes.tolist()), strict=True))
    return [made[i] for i in range(len(asked))]


def refine(
    logits_NV: Tensor,
    codes_N: Tensor,
    temperature: float,
    heat: float,
    step: int,
    settings: DrawingSettings,
    uniform_2N: Tensor,
) -> Tensor:
    """One step: the hidden codes (-1) drawn, and all but the surest of them hidden again unless it is the last."""
    uniform_2N = uniform_2N.to(logits_NV.device)
    unknown = codes_N < 0
    drawn = torch.where(unknown, choose(logits_NV, temperature, uniform_2N[0]), codes_N)
    if step + 1 == settings.steps:
        return drawn
    log_p = (logits_NV.double() / (temperature or 1.0)).log_softmax(dim=-1).gather(-1, drawn[:, None])[:, 0]
    gumbel = -(-uniform_2N[1].clamp_min(SMALLEST).log()).clamp_min(SMALLEST).log()
    sureness = torch.where(unknown, log_p + heat * gumbel, math.inf)
    share = math.cos(math.pi / 2 * (step + 1) / settings.steps)
    again = max(1, min(int(unknown.sum()) - 1, math.floor(len(codes_N) * share)))
    hidden = sureness.argsort(stable=True)[:again]
    return drawn.index_fill(0, hidden, -1)


def noise_left(step: int, settings: DrawingSettings) -> float:
    """The share of the Gumbel noise that step `step` (from 0) has."""
    shares = [1 - (k + 1) / settings.steps for k in range(step + 1)]
    return math.prod(shares) if settings.compounding else shares[-1]

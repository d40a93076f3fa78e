"""The protocol for Show-o, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bifrons.models.adapter import Sites
from bifrons.models.divergence import kl_of_heads
from bifrons.models.pictures import Picture
from bifrons.models.showo.answering import answer_tokens
from bifrons.models.showo.drawing import DrawingSettings, draw_codes
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.images import pixels
from bifrons.models.showo.merging import save_merged
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.showo.options import SAMPLING, SCORING, options_of
from bifrons.models.showo.packing import Packed, pack_generation, pack_understanding
from bifrons.models.showo.prompts import PROMPT_VERSION, Prompts
from bifrons.models.size import compile_layers, recompute_activations, shard_layers
from bifrons.models.target_log_probs import target_log_probs
from bifrons.models.tokens import Report, TokenModel
from bifrons.protocol import Answer, Divergence, Identity, LogProbs, Sampling, TokenLogProbs
from bifrons.records import GenerationPair, UnderstandingPair, content_hash

MOST_KEPT = 100_000  # images whose codes are kept
SITES = Sites(body="showo.model", projections=("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"), head="image_head")


class ShowoModel(TokenModel):
    """A Show-o network with its text tokenizer. The body runs in its own dtype; heads and image tokenizer in fp32.

    `estimator` says how the log-probability of a drawing is estimated, and `drawing` how one is sampled. Set others
    before training, never during it.
    """

    packing_version = PROMPT_VERSION

    def __init__(
        self,
        network: ShowoNetwork,
        text_tokenizer: Any,
        identity: Identity,
        drawing: DrawingSettings,
        estimator: MaskEstimator,
    ) -> None:
        network.requires_grad_(False)
        network.showo.lm_head.float()
        network.tokenizer.float()
        super().__init__(network, SITES, identity)
        self.layout = network.layout
        self.prompts = Prompts(text_tokenizer, network.layout)
        self.drawing = drawing
        self.estimator = estimator
        self._codes: dict[str, tuple[int, ...]] = {}

    @property
    def identity(self) -> Identity:
        settings = {
            "scoring": options_of(self.estimator, SCORING),
            "sampling": options_of(self.drawing, SAMPLING),
        }
        return replace(self._identity, **settings)

    @property
    def device(self) -> torch.device:
        return self.network.showo.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.showo.model.embed_tokens.weight.dtype

    @property
    def num_image_tokens(self) -> int:
        return self.layout.num_image_tokens

    @property
    def num_codes(self) -> int:
        return self.layout.num_codes

    @property
    def prompt_ids(self) -> Prompts:
        return self.prompts

    @property
    def end_id(self) -> int:
        return self.prompts.end_id

    @property
    def image_size(self) -> int:
        return round(self.num_image_tokens**0.5) * self.network.tokenizer.config.shrink

    # Packing and log-probabilities

    def pack(self, pairs: Sequence[UnderstandingPair] | Sequence[GenerationPair]) -> Packed:
        """Rows for pairs of one task. Raises ValueError for a drawing whose number of codes is not this model's."""
        if isinstance(pairs[0], UnderstandingPair):
            answers = [pair for pair in pairs if isinstance(pair, UnderstandingPair)]
            return pack_understanding(
                [self.codes(pair.image, f"understanding pair {pair.id!r}") for pair in answers],
                [self.prompts.understanding(pair.question) for pair in answers],
                [self.responses(pair) for pair in answers],
                self.layout,
            )
        drawings = self.drawings(pairs)
        return pack_generation(
            [self.prompts.generation(pair.prompt) for pair in drawings],
            [(pair.chosen_codes, pair.rejected_codes) for pair in drawings],
            [self.estimator.masks(f"{pair.id} {pair.prompt}", self.num_image_tokens) for pair in drawings],
            self.layout,
        )

    def codes(self, image: Picture, name: str = "") -> tuple[int, ...]:
        """The codes of an image: what the body sees of it. Computed once and kept."""
        key = content_hash(image) if isinstance(image, bytes) else None
        if key is not None and key in self._codes:
            return self._codes[key]
        made = self.encoded([image], name)[0]
        if key is not None and len(self._codes) < MOST_KEPT:
            self._codes[key] = made
        return made

    def hidden_at(self, packed: Packed) -> Tensor:
        """The hidden states that predict the response tokens, [predictions, width]."""
        rows = (packed.ids.to(self.device), packed.positions.to(self.device), packed.mask.to(self.device))
        return self.network.hidden(*rows).flatten(0, 1)[packed.source.to(self.device)]

    def head(self, packed: Packed, hidden: Tensor) -> Tensor:
        """fp32 logits over words or over codes."""
        heads = self.network.word_logits if packed.task == "understanding" else self.network.code_logits
        return heads(hidden)

    def predictions(self, packed: Packed) -> Tensor:
        """Log-probabilities, fp32 [predictions]."""
        logits = self.head(packed, self.hidden_at(packed))
        return target_log_probs(logits, packed.target.to(self.device))

    def token_log_probs(self, packed: Packed) -> TokenLogProbs:
        """Of a drawing, each code's share of the estimate: the weighted mean over the masks that hide it."""
        return self.by_token(packed, self.predictions(packed))

    def by_token(self, packed: Packed, predicted: Tensor) -> TokenLogProbs:
        each = predicted * packed.weight.to(self.device, torch.float32)
        starts = packed.lengths.cumsum(0) - packed.lengths
        slot = (starts[packed.sequence] + packed.place).to(self.device)
        values = each.new_zeros(len(packed.tokens)).index_add(0, slot, each)
        sequence = torch.arange(len(packed.lengths)).repeat_interleave(packed.lengths)
        place = torch.arange(len(packed.tokens)) - starts[sequence]
        tokens, sequence, place = (tensor.to(self.device) for tensor in (packed.tokens, sequence, place))
        return TokenLogProbs(values, tokens, sequence, place, packed.num_pairs, packed.task == "understanding")

    def log_probs(self, packed: Packed) -> LogProbs:
        predicted = self.predictions(packed)
        found = self.by_token(packed, predicted).summed()
        if packed.task == "understanding":
            return found
        return replace(found, spread=self.estimator.spread(self.by_mask(packed, predicted.detach()))[1])

    @torch.no_grad()
    def mask_estimates(self, packed: Packed) -> Tensor:
        """The log-probability of each drawing by each of its masks alone, float64 [pairs, 2, masks]: their means are
        `log_probs`, and `estimator.spread` of them how far those can be trusted.
        """
        return self.by_mask(packed, self.predictions(packed))

    def by_mask(self, packed: Packed, predicted: Tensor) -> Tensor:
        each = predicted.double() * (packed.weight * packed.num_draws).to(self.device)
        index = (packed.sequence * packed.num_draws + packed.draw).to(self.device)
        sums = each.new_zeros(len(packed.lengths) * packed.num_draws).index_add(0, index, each)
        return sums.view(-1, 2, packed.num_draws)

    @torch.no_grad()
    def token_kl(self, packed: Packed) -> Divergence:
        """Of a drawing, weighted over its masks as its log-probability is."""
        policy = self.hidden_at(packed)
        with self.base_only():
            reference = self.hidden_at(packed)
        each = kl_of_heads(lambda hidden: self.head(packed, hidden), self.base_only, policy, reference)
        each = each * packed.weight.to(self.device, torch.float32)
        sums = each.new_zeros(len(packed.lengths)).index_add(0, packed.sequence.to(self.device), each)
        return Divergence(sums.view(-1, 2), packed.lengths.view(-1, 2).to(self.device))

    # Adapter: see `Adapted`

    def save_merged(self, folder: Path, dtype: torch.dtype | None = None) -> float:
        """Write the model with its adapter merged in as a full checkpoint, in the body's dtype unless asked otherwise;
        the share of the update that rounding lost.
        """
        self.trained()
        return save_merged(self.network, self.prompts.tokenizer, self.drawing, folder, dtype or self.dtype)

    # Training at size

    def to(self, device: torch.device | str) -> None:
        self.network.to(device)

    def checkpoint_gradients(self, on: bool) -> None:
        recompute_activations(self.network.showo.model, on)

    def compile_layers(self, on: bool) -> None:
        compile_layers(self.network.showo.model, on)

    def shard(self) -> None:
        """FSDP2 over the body's layers. Embeddings, norm and heads stay whole in every process."""
        body = self.network.showo.model
        shard_layers(body, (*body.embed_tokens.parameters(), *body.final_layernorm.parameters()), self.device)

    # Sampling

    def answer_ids(
        self,
        images: Sequence[Picture],
        names: Sequence[str],
        asked: Sequence[list[int]],
        sampling: Sampling,
        report: Report | None,
    ) -> list[Answer]:
        return answer_tokens(
            self.network, self.prompts, names, lambda index: self.codes(images[index]), asked, sampling, report
        )

    def draw_ids(self, asked: Sequence[list[int]], sampling: Sampling, report: Report | None) -> list[tuple[int, ...]]:
        """A temperature divides the logits and multiplies the noise of the confidences; 0 leaves no chance at all."""
        settings = self.drawing if sampling.guidance is None else replace(self.drawing, guidance=sampling.guidance)
        return draw_codes(self.network, self.prompts, asked, sampling, settings, report)

    def pixel_values(self, codes: Tensor) -> Tensor:
        return self.network.tokenizer.decode(codes)

    def encode(self, images: Sequence[Picture], batch_size: int = 32) -> list[tuple[int, ...]]:
        """Codes of images in raster order, each image scaled and cut to the model's square."""
        starts = range(0, len(images), batch_size)
        return [row for start in starts for row in self.encoded(images[start : start + batch_size])]

    @torch.inference_mode()
    def encoded(self, images: Sequence[Picture], name: str = "") -> list[tuple[int, ...]]:
        batch = pixels(images, self.image_size, name).to(self.device)
        return [tuple(row) for row in self.network.tokenizer.encode(batch).tolist()]

"""The protocol for transformers' `JanusForConditionalGeneration`, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bifrons.models.adapter import Sites
from bifrons.models.divergence import kl_of_heads
from bifrons.models.exact_logits import exact_logits
from bifrons.models.janus.answering import answer_tokens
from bifrons.models.janus.drawing import draw_codes
from bifrons.models.janus.forward import hidden_at, register_with_shards
from bifrons.models.janus.merging import save_merged
from bifrons.models.janus.packing import CODE, FEATURE, Packed, pack_generation, pack_understanding
from bifrons.models.janus.prompts import PROMPT_VERSION, Prompts
from bifrons.models.janus.vision import Vision
from bifrons.models.norm import fuse_norms
from bifrons.models.pictures import Picture, to_image
from bifrons.models.size import compile_layers, recompute_activations, shard_layers
from bifrons.models.target_log_probs import target_log_probs
from bifrons.models.tokens import Report, TokenModel
from bifrons.protocol import Answer, Divergence, Identity, LogProbs, Sampling, TokenLogProbs
from bifrons.records import GenerationPair, UnderstandingPair

JANUS_GUIDANCE = 5.0
SITES = Sites(
    body="model.language_model",
    projections=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    head="generation_head",
)


class JanusModel(TokenModel):
    """A Janus network with its processor. The language model runs in the network's dtype, both heads' products are
    fp32's; the image head's weights are too, since they train.
    """

    packing_version = PROMPT_VERSION

    def __init__(self, network: Any, processor: Any, identity: Identity) -> None:
        network.requires_grad_(False)
        network.model.generation_head.float()
        super().__init__(network, SITES, identity)
        self.core = network.model  # transformers' JanusModel; PEFT wraps its parts in place
        fuse_norms(self.core.language_model)
        self.processor = processor
        self.prompts = Prompts(processor, network.config.image_token_id)
        self.vision = Vision(self.core, processor)

    @property
    def device(self) -> torch.device:
        return self.network.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.core.language_model.embed_tokens.weight.dtype

    @property
    def num_image_tokens(self) -> int:
        rows, columns = self.core.vqmodel.quantize.quant_state_dims
        return rows * columns

    @property
    def num_codes(self) -> int:
        return self.core.generation_embeddings.num_embeddings

    @property
    def prompt_ids(self) -> Prompts:
        return self.prompts

    @property
    def end_id(self) -> int:
        return self.prompts.eos_id

    @property
    def guidance(self) -> float:
        """The checkpoint's own guidance scale of drawing; Janus's 5 where its files name none."""
        own = getattr(self.network.generation_config, "guidance_scale", None)
        return JANUS_GUIDANCE if own is None else float(own)

    # Packing and log-probabilities

    def pack(self, pairs: Sequence[UnderstandingPair] | Sequence[GenerationPair]) -> Packed:
        """Rows for pairs of one task. Raises ValueError for a drawing whose number of codes is not this model's."""
        if isinstance(pairs[0], UnderstandingPair):
            answers = [pair for pair in pairs if isinstance(pair, UnderstandingPair)]
            return pack_understanding(
                [self.prompts.understanding(pair.question) for pair in answers],
                [self.responses(pair) for pair in answers],
                torch.cat([self.vision.alone(pair.image, f"understanding pair {pair.id!r}") for pair in answers]),
                self.prompts.image_id,
            )
        drawings = self.drawings(pairs)
        return pack_generation(
            [self.prompts.generation(pair.prompt) for pair in drawings],
            [(pair.chosen_codes, pair.rejected_codes) for pair in drawings],
            self.prompts.pad_id,
        )

    def embed(self, packed: Packed) -> Tensor:
        ids, kinds = packed.ids.to(self.device), packed.kinds.to(self.device)
        is_code = kinds == CODE
        embeds: Tensor = self.core.language_model.embed_tokens(ids.masked_fill(is_code, 0)).clone()
        if packed.features is not None:
            embeds[kinds == FEATURE] = packed.features.reshape(-1, embeds.shape[-1])
        if bool(is_code.any()):
            embeds[is_code] = self.embed_codes(ids[is_code])
        return embeds

    def embed_codes(self, codes: Tensor) -> Tensor:
        return self.core.generation_aligner(self.core.generation_embeddings(codes)).to(self.dtype)

    def head(self, task: str, hidden: Tensor) -> Tensor:
        """fp32 logits over words or over codes."""
        if task == "understanding":
            return exact_logits(hidden, self.network.lm_head.weight)
        return self.core.generation_head(hidden.float())

    def token_log_probs(self, packed: Packed) -> TokenLogProbs:
        logits = self.head(packed.task, hidden_at(self.core.language_model, self.embed(packed), packed))
        target, sequence = packed.target.to(self.device), packed.sequence.to(self.device)
        each = target_log_probs(logits, target)
        return TokenLogProbs(each, target, sequence, packed.place.to(self.device), packed.num_pairs, True)

    def log_probs(self, packed: Packed) -> LogProbs:
        return self.token_log_probs(packed).summed()

    @torch.no_grad()
    def token_kl(self, packed: Packed) -> Divergence:
        policy = hidden_at(self.core.language_model, self.embed(packed), packed)
        with self.base_only():
            reference = hidden_at(self.core.language_model, self.embed(packed), packed)
        each = kl_of_heads(lambda hidden: self.head(packed.task, hidden), self.base_only, policy, reference)
        sequence = packed.sequence.to(self.device)
        sums = torch.zeros(2 * packed.num_pairs, device=self.device).index_add(0, sequence, each)
        counts = torch.bincount(sequence, minlength=2 * packed.num_pairs)
        return Divergence(sums.view(-1, 2), counts.view(-1, 2))

    # Adapter: see `Adapted`

    def save_merged(self, folder: Path, dtype: torch.dtype | None = None) -> float:
        """Write the model with its adapter merged in as a full checkpoint, in the network's dtype unless asked
        otherwise; the share of the update that rounding lost.
        """
        self.trained()
        return save_merged(self.network, self.processor, folder, dtype or self.dtype)

    # Training at size

    def to(self, device: torch.device | str) -> None:
        self.network.to(device)
        self.vision.forget()  # what is kept lies where the network was

    def checkpoint_gradients(self, on: bool) -> None:
        recompute_activations(self.core.language_model, on)

    def compile_layers(self, on: bool) -> None:
        compile_layers(self.core.language_model, on)

    def shard(self) -> None:
        """FSDP2 over the body's layers. Embeddings, norm and heads stay whole in every process."""
        body = self.core.language_model
        shard_layers(body, (*body.embed_tokens.parameters(), *body.norm.parameters()), self.device)
        register_with_shards(body)

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
            self.core,
            lambda hidden: self.head("understanding", hidden),
            self.prompts,
            names,
            lambda indices: self.vision.together([images[i] for i in indices]),
            asked,
            sampling,
            report,
        )

    def draw_ids(self, asked: Sequence[list[int]], sampling: Sampling, report: Report | None) -> list[tuple[int, ...]]:
        guidance = self.guidance if sampling.guidance is None else sampling.guidance
        return draw_codes(self.core, self.prompts, asked, self.num_image_tokens, sampling, guidance, report)

    def pixel_values(self, codes: Tensor) -> Tensor:
        return self.core.vqmodel.decode(codes).float()

    @torch.inference_mode()
    def encode(self, images: Sequence[Picture], batch_size: int = 32) -> list[tuple[int, ...]]:
        """VQ codes of images in raster order, by cosine to the codebook as the checkpoint's authors do.

        transformers' own `encode` compares without normalising; the two agree where the codebook holds unit vectors.
        """
        vq = self.core.vqmodel
        codebook = normalize(vq.quantize.embedding.weight.float(), dim=-1)
        made: list[tuple[int, ...]] = []
        for start in range(0, len(images), batch_size):
            pictures = [to_image(image) for image in images[start : start + batch_size]]
            pixels = self.processor.image_processor(pictures, return_tensors="pt")["pixel_values"].to(self.device)
            latent = vq.quant_conv(vq.encoder(pixels.to(vq.quantize.embedding.weight.dtype))).float()
            codes = torch.einsum("bchw,kc->bhwk", normalize(latent, dim=1), codebook).argmax(dim=-1)
            made += [tuple(row) for row in codes.flatten(1).tolist()]
        return made

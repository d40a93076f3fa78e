"""Text similarity by a BERT network: sentence encoder, BERTScore, and the raw [CLS] cosine.

The [CLS] cosine is what HermesFlow's public code calls BERT similarity; raw [CLS] vectors were never trained to be
compared, and it stands here for parity alone. Plain transformers classes and safetensors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, BertModel

from bifrons.scorers.content import check_lengths
from bifrons.scorers.device import device_of, fastest

BATCH_SIZE = 64


def load_bert(folder: str) -> tuple[Any, Any]:
    """Network, on the GPU where there is one, and tokenizer of a BERT checkpoint (safetensors): a folder, or a hub name
    such as owner/model.

    Raises ValueError for a name that is neither.
    """
    if not Path(folder).is_dir() and folder.count("/") != 1:
        raise ValueError(f"no BERT {folder!r}: give a folder, or a hub name such as owner/model")
    network = BertModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
    network.to(fastest())  # pyright: ignore[reportArgumentType]
    return network, AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


class BertScorer(ABC):
    """A BERT and how it turns tokens into vectors. Texts longer than the network takes are cut."""

    def __init__(self, network: Any, tokenizer: Any, name: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name

    def encoded(self, texts: Sequence[str]) -> dict[str, Tensor]:
        limit = self.network.config.max_position_embeddings
        made = self.tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
        return dict(made.to(device_of(self.network)).items())

    def scores(self, candidates: Sequence[str], references: Sequence[str]) -> list[float]:
        """One score a candidate, in batches. Raises ValueError for lists of different lengths."""
        check_lengths(candidates, references)
        found: list[float] = []
        for start in range(0, len(candidates), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            with torch.inference_mode():
                found += self.compare(candidates[batch], references[batch]).tolist()
        return found

    @abstractmethod
    def compare(self, candidates: Sequence[str], references: Sequence[str]) -> Tensor:
        """One score a candidate of one batch, [candidates]."""


class SentenceEncoder(BertScorer):
    """Cosine of mean-pooled token vectors (Reimers and Gurevych 2019)."""

    def embed(self, texts: Sequence[str]) -> Tensor:
        inputs = self.encoded(texts)
        hidden = self.network(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].float()
        return normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=-1)

    def compare(self, candidates: Sequence[str], references: Sequence[str]) -> Tensor:
        return (self.embed(candidates) * self.embed(references)).sum(dim=-1)


class ClsCosine(BertScorer):
    """Cosine of the raw vectors of the first token."""

    def embed(self, texts: Sequence[str]) -> Tensor:
        return normalize(self.network(**self.encoded(texts)).last_hidden_state[:, 0], dim=-1)

    def compare(self, candidates: Sequence[str], references: Sequence[str]) -> Tensor:
        return (self.embed(candidates) * self.embed(references)).sum(dim=-1)


class BertScore(BertScorer):
    """F of greedy matching of token vectors, without idf and without rescaling (Zhang et al. 2020, Eq. 1 to 3).

    P is the mean over candidate tokens of the best cosine to a reference token, R the same from the reference's side.
    First and last token ([CLS] and [SEP]) take part in no match. `layer` counts from the embeddings, -1 is the last.
    """

    def __init__(self, network: Any, tokenizer: Any, name: str, *, layer: int = -1) -> None:
        super().__init__(network, tokenizer, name)
        self.layer = layer

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Unit vectors [texts, length, width], and which of them are words, bool [texts, length]."""
        inputs = self.encoded(texts)
        hidden = self.network(**inputs, output_hidden_states=True).hidden_states[self.layer]
        ids = inputs["input_ids"]
        special = (ids == self.tokenizer.cls_token_id) | (ids == self.tokenizer.sep_token_id)
        return normalize(hidden, dim=-1), inputs["attention_mask"].bool() & ~special

    def compare(self, candidates: Sequence[str], references: Sequence[str]) -> Tensor:
        (one, real_one), (two, real_two) = self.tokens(candidates), self.tokens(references)
        cosines = torch.einsum("bid,bjd->bij", one, two)
        cosines = cosines.masked_fill(~(real_one[:, :, None] & real_two[:, None, :]), -torch.inf)
        precision = mean_best(cosines.amax(dim=2), real_one)
        recall = mean_best(cosines.amax(dim=1), real_two)
        total = precision + recall
        return torch.where(total > 0, 2 * precision * recall / total.clamp_min(1e-9), torch.zeros_like(total))


def mean_best(best: Tensor, real: Tensor) -> Tensor:
    """Mean of the best cosines over real tokens; 0 for a text without a word, and against one."""
    usable = real & best.isfinite()
    return torch.where(usable, best, torch.zeros_like(best)).sum(dim=1) / usable.sum(dim=1).clamp_min(1)

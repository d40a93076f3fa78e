"""Which of two drawings of a prompt the verifier of scenes finds better, as a small network predicts it.

A head on the embeddings of the CLIP that evaluates, trained on rendered scenes with planted mistakes (see
`bifrons.organism.preference`). It is to `clip_score_scenes` what PickScore is to CLIPScore: the same tower, taught by
choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.functional import gelu

from bifrons.records import content_hash
from bifrons.scorers.clip import ClipScorer

EMBEDDED = "organism/weights/preference"  # belongs to the embedded CLIP of evaluation
HIDDEN = 128


class PreferenceHead(nn.Module):
    """A score of image and text embeddings, [n]; the difference of two is a log-odds (Bradley, Terry 1952)."""

    def __init__(self, width: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.first = nn.Linear(3 * width, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, seen: Tensor, said: Tensor) -> Tensor:
        both = torch.cat([seen, said, seen * said * seen.shape[-1] ** 0.5], dim=-1)
        return self.last(gelu(self.second(gelu(self.first(both)))))[..., 0]


class PreferenceScorer:
    """Scores drawings of prompts: the head, and the CLIP that it was trained on."""

    def __init__(self, clip: ClipScorer, head: PreferenceHead) -> None:
        self.clip = clip
        self.head = head.eval().requires_grad_(False)

    @torch.inference_mode()
    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        """The score of each image for the text of the same index, in logits; only differences mean something."""
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images for {len(texts)} texts")
        if not images:
            return []
        return self.head(self.clip.embed_images(images), self.clip.embed_texts(texts)).tolist()


def embedded_fingerprint() -> str:
    """A hash of the embedded head, so that scores by another head are not taken for its own."""
    return content_hash(files("bifrons").joinpath(EMBEDDED, "model.safetensors").read_bytes())


def load_preference(clip: ClipScorer, folder: Path | None = None) -> PreferenceScorer:
    """The embedded head, or one from a folder. Raises ValueError for a head of another CLIP than this one."""
    path = (folder or Path(str(files("bifrons").joinpath(EMBEDDED)))) / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    if metadata.get("clip") != clip.fingerprint:
        raise ValueError(f"{path}: was trained on another CLIP than {clip.name!r}")
    width, hidden = tensors["first.weight"].shape[1] // 3, tensors["first.weight"].shape[0]
    head = PreferenceHead(width, hidden)
    head.load_state_dict(tensors)
    return PreferenceScorer(clip, head)

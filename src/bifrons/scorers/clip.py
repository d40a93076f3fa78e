"""Image-text similarity by a CLIP network (Radford et al. 2021; CLIPScore: Hessel et al. 2021)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from bifrons.checkpoints import find_checkpoint, no_progress_bar
from bifrons.records.pictures import to_image
from bifrons.scorers.device import device_of, fastest, full_precision

EMBEDDED = {
    "scenes-curation": "organism/weights/clip_curation",
    "scenes-evaluation": "organism/weights/clip_evaluation",
}  # trained on scenes by this project: one to build data, one to evaluate


class ClipScorer:
    """Scores 100 * cosine(image, text). Two scorers are the same network exactly when their fingerprints are equal.

    Embeddings lie on the CPU, wherever the network runs.
    """

    def __init__(self, network: Any, tokenizer: Any, processor: Any, name: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.processor = processor
        self.name = name
        self.on_scenes = name in EMBEDDED
        digest = hashlib.sha256()
        for key, tensor in sorted(network.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        self.fingerprint = digest.hexdigest()[:20]

    @torch.inference_mode()
    def embed_images(self, images: Sequence[Any], batch_size: int = 64) -> Tensor:
        """Unit vectors, [images, width], of encoded bytes, paths, PIL images or pixels [height, width, 3]."""
        made: list[Tensor] = []
        for start in range(0, len(images), batch_size):
            pixels = self.pixels(images[start : start + batch_size])
            with full_precision(self.network):
                hidden = self.network.vision_model(pixel_values=pixels).pooler_output
            made.append(normalize(self.network.visual_projection(hidden).float(), dim=-1).cpu())
        return torch.cat(made)

    @torch.inference_mode()
    def layers(self, images: Sequence[Any], batch_size: int = 64) -> list[Tensor]:
        """What each layer of the vision tower sees at each patch, [images, patches, width] a layer, the class token
        left out.
        """
        made: list[list[Tensor]] = []
        for start in range(0, len(images), batch_size):
            pixels = self.pixels(images[start : start + batch_size])
            with full_precision(self.network):
                states = self.network.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
            made.append([state[:, 1:].float().cpu() for state in states[1:]])
        return [torch.cat(parts) for parts in zip(*made, strict=True)]

    def pixels(self, images: Sequence[Any]) -> Tensor:
        made = self.processor([to_image(image) for image in images], return_tensors="pt")["pixel_values"]
        return made.to(device_of(self.network))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """Unit vectors, [texts, width]; longer texts than the network takes are cut."""
        made: list[Tensor] = []
        limit = self.network.config.text_config.max_position_embeddings
        for start in range(0, len(texts), batch_size):
            batch = self.tokenizer(
                list(texts[start : start + batch_size]),
                padding=True,
                truncation=True,
                max_length=limit,
                return_tensors="pt",
            ).to(device_of(self.network))
            hidden = self.network.text_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            made.append(normalize(self.network.text_projection(hidden.pooler_output).float(), dim=-1).cpu())
        return torch.cat(made)

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        """100 * cosine of each image with the text of the same index. Raises ValueError for lists of different
        lengths.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images for {len(texts)} texts")
        if not images:
            return []
        return (100 * (self.embed_images(images) * self.embed_texts(texts)).sum(dim=-1)).tolist()


def load_clip(name: str, processor: str = "") -> ClipScorer:
    """A scorer by its embedded name, on the CPU, or from a folder or hub name of a CLIP checkpoint (safetensors only),
    on the GPU where there is one.

    `processor` names another place for tokenizer and image processor, where the weights stand alone. Raises ValueError
    for a name that is none of these.
    """
    folder = find_checkpoint(name, EMBEDDED, kind="CLIP").folder
    beside = find_checkpoint(processor, EMBEDDED, kind="CLIP").folder if processor else folder
    with no_progress_bar():
        network = CLIPModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
    if name not in EMBEDDED:
        network.to(fastest())  # pyright: ignore[reportArgumentType]
    tokenizer = AutoTokenizer.from_pretrained(beside, trust_remote_code=False)
    return ClipScorer(network, tokenizer, CLIPImageProcessorPil.from_pretrained(beside), name)

"""What the language model sees of images: the vision tower is frozen, so every image passes it once and is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bifrons.models.pictures import Picture, to_image
from bifrons.records import content_hash

KEPT_BYTES = 2 * 1024**3  # of each kind: what is asked about does not take the room of what is trained on


class Vision:
    """Features of images by their content, [images, image tokens, width].

    How many images stand in a product moves its last digits. Training reads images `alone`, so that a resumed run is
    bitwise the same; answering reads those of a batch `together`, which is faster, and a batch is kept as a whole: what
    comes back is always of the same product.
    """

    def __init__(self, core: Any, processor: Any) -> None:
        self.core, self.processor = core, processor
        self.kept: dict[tuple[str, ...], Tensor] = {}
        self.bytes: Counter[str] = Counter()

    def alone(self, image: Picture, name: str = "") -> Tensor:
        """Of one image, [1, image tokens, width]. Raises ValueError, with the name, for what is no image."""
        return self.features("alone", [image], name)

    def together(self, images: Sequence[Picture]) -> Tensor:
        return self.features("together", images)

    def features(self, how: str, images: Sequence[Picture], name: str = "") -> Tensor:
        hashes = [content_hash(image) for image in images if isinstance(image, bytes)]
        key = (how, *hashes) if len(hashes) == len(images) else None
        if key is not None and key in self.kept:
            return self.kept[key]
        made = self.compute([to_image(image, name) for image in images])
        size = made.numel() * made.element_size()
        if key is not None and self.bytes[how] + size <= KEPT_BYTES:
            self.kept[key] = made
            self.bytes[how] += size
        return made

    def compute(self, pictures: list[Any]) -> Tensor:
        weight: Tensor = self.core.language_model.embed_tokens.weight
        pixels = self.processor.image_processor(pictures, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            return self.core.get_image_features(pixels.to(weight.device, weight.dtype)).pooler_output

    def forget(self) -> None:
        self.kept.clear()
        self.bytes.clear()

"""What a step has to do at the least, from shapes: floating-point operations and bytes.

2 operations a multiply-add. A frozen weight costs 2 N a token forward and 2 N backward (the gradient of its input), so
4 N; a trained one 6 N. Attention over T keys costs 4 T D a token and layer forward, 8 T D backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shapes:
    """Parameters that a token passes through, by part, and the widths that attention needs."""

    body: int  # the language model's linear maps
    lora: int
    text_head: int
    image_head: int
    code_aligner: int
    vision: int  # of one image's tokens, aligner included
    width: int
    layers: int
    image_tokens: int

    @classmethod
    def of(cls, model: Any) -> Shapes:
        core = model.core
        config = model.network.config.text_config
        body = [(n, p) for n, p in core.language_model.named_parameters() if p.dim() == 2 and "embed_tokens" not in n]
        vision = [p.numel() for part in (core.vision_model, core.aligner) for p in part.parameters() if p.dim() > 1]
        head = getattr(core.generation_head, "original_module", core.generation_head)  # while a copy of it trains
        return cls(
            body=sum(p.numel() for n, p in body if "lora_" not in n),
            lora=sum(p.numel() for n, p in body if "lora_" in n),
            text_head=model.network.lm_head.weight.numel(),
            image_head=sum(p.numel() for p in getattr(head, "original_module", head).parameters()),
            code_aligner=sum(p.numel() for p in core.generation_aligner.parameters()),
            vision=sum(vision),
            width=config.hidden_size,
            layers=config.num_hidden_layers,
            image_tokens=model.num_image_tokens,
        )

    def attention(self, tokens: int, keys: float) -> float:
        """Forward operations of `tokens` queries over `keys` keys each, in all layers."""
        return 4.0 * tokens * keys * self.width * self.layers

    def understanding_step(self, prefix: int, answers: Sequence[int]) -> float:
        """Operations of forward and backward of one packed row: the prefix once, logits where a token is predicted, and
        of the last layer only keys and values elsewhere.
        """
        tokens, predicted = prefix + sum(answers), sum(answers)
        body = (4 * self.body + 6 * self.lora) * tokens
        keys_and_values = 2 * self.width**2  # no published Janus groups its queries
        share = 1 - keys_and_values / (self.body / self.layers)
        body -= (4 * self.body + 6 * self.lora) / self.layers * share * prefix
        return body + 4 * self.text_head * predicted + 3 * self.attention(tokens, tokens / 2)

    def generation_step(self, prompt: int) -> float:
        """Operations of forward and backward of two causal rows; the image head is trained."""
        tokens = 2 * (prompt + self.image_tokens - 1)
        body = (4 * self.body + 6 * self.lora) * tokens
        head = 6 * self.image_head * 2 * self.image_tokens
        return body + head + 3 * self.attention(tokens, tokens / 4)

    def drawing_step(self, images: int, keys: float) -> float:
        """Operations of one code of each image under guidance: two rows an image, the head's last map once."""
        rows = 2 * images
        return (
            rows * 2 * (self.body + self.code_aligner / 2) + images * 2 * self.image_head + self.attention(rows, keys)
        )

    def drawing_bytes(self, images: int, keys: float, size: int) -> float:
        """Bytes that one code of each image has to read: every weight once (the head in fp32), keys and values."""
        weights = size * (self.body + self.code_aligner) + 4 * self.image_head
        return weights + size * 2 * 2 * images * keys * self.width * self.layers

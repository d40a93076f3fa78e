"""Show-o's network: transformers' Phi with query/key layer norm and an untied head, and MAGVIT-v2 beside it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PhiConfig, PhiForCausalLM

from bifrons.models.showo.layout import Layout
from bifrons.models.showo.magvit import ImageTokenizer, TokenizerConfig


def body_config(config: PhiConfig, layout: Layout) -> PhiConfig:
    """Phi's configuration as Show-o uses it: its vocabulary, query/key layer norm, and no dropout of the body's own."""
    changed: dict[str, Any] = {
        "vocab_size": layout.vocabulary,
        "qk_layernorm": True,
        "tie_word_embeddings": False,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attention_dropout": 0.0,
        "pad_token_id": None,  # an embedding's padding row would get no gradient
    }
    made = PhiConfig(**{**config.to_dict(), **changed})
    made._attn_implementation = "sdpa"
    return made


class ShowoNetwork(nn.Module):
    """The body under its published name, the image tokenizer, and the image head: the body's head on the codes alone.

    The published head is one matrix over words, special tokens and codes. Words are predicted among words and codes
    among codes, so its two parts never meet in one softmax, and the codes' part can be trained by itself.
    """

    def __init__(self, body: PhiConfig, layout: Layout, tokenizer: TokenizerConfig) -> None:
        super().__init__()
        self.layout = layout
        self.showo = PhiForCausalLM(body)
        self.tokenizer = ImageTokenizer(tokenizer)
        self.image_head = nn.Linear(body.hidden_size, layout.num_codes)

    @property
    def code_rows(self) -> slice:
        return slice(self.layout.first_code, self.layout.mask)

    @torch.no_grad()
    def take_image_head(self) -> None:
        """The image head becomes what the body's head says of codes, in fp32."""
        head: Any = self.showo.lm_head
        self.image_head.float()
        self.image_head.weight.copy_(head.weight[self.code_rows])
        self.image_head.bias.copy_(head.bias[self.code_rows])

    def hidden(self, ids_RL: Tensor, positions_RL: Tensor, mask_R1LL: Tensor) -> Tensor:
        """[R, L, width]; the mask is True where a position may look."""
        return self.showo.model(
            input_ids=ids_RL, attention_mask=mask_R1LL, position_ids=positions_RL, use_cache=False
        ).last_hidden_state

    def word_logits(self, hidden: Tensor) -> Tensor:
        """fp32, over words alone: no answer holds a code or a special token."""
        words = self.layout.num_words
        head: Any = self.showo.lm_head
        return linear(hidden.float(), head.weight[:words], head.bias[:words])

    def code_logits(self, hidden: Tensor) -> Tensor:
        """fp32, over codes alone, as drawing samples them."""
        return self.image_head(hidden.float())

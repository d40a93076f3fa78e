"""A tiny Janus with weights that were never trained, and pairs for it: what the tests of every higher floor stand on.

Its linear maps are larger than transformers draws them, so that images, words and codes all move its predictions: on a
network whose context hardly matters a lost mask or a lost image would hardly show.
"""

from __future__ import annotations

import copy
import io
import re
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bifrons.models.janus import from_network
from bifrons.models.janus.model import JanusModel
from bifrons.organism.janus.architecture import build_config, build_model, build_processor
from bifrons.organism.words import build_tokenizer
from bifrons.protocol import AdapterSettings
from bifrons.records import GenerationPair, Pair, Provenance, UnderstandingPair

NUM_CODES = 64
NUM_IMAGE_TOKENS = 64
SAID = "what colour is the circle left of a red square? there is one blue square right of it. how many green in two"
WORDS = [*sorted(set(re.findall("[a-z]+", SAID))), ".", "?"]
BY_HAND = Provenance(builder="test")
SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.1)

draws_as_janus_does = pytest.mark.skipif(
    tuple(map(int, version("transformers").split(".")[:2])) < (5, 23),
    reason="transformers before 5.23 reads the whole prompt again for every code that it draws",
)


@cache
def parts() -> tuple[Any, Any]:
    """Network and processor. Copy the network before use: an adapter is put into it in place."""
    tokenizer = build_tokenizer(WORDS)
    config = build_config(
        tokenizer,
        hidden_size=64,
        num_layers=2,
        intermediate_size=64,
        vision_size=32,
        vision_layers=1,
        vq_channels=32,
        num_codes=NUM_CODES,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_model(config, tokenizer).eval()
    larger = (network.lm_head, network.model.language_model, network.model.vision_model, network.model.aligner)
    larger = (*larger, network.model.generation_aligner, network.model.generation_head)
    with torch.no_grad():
        for module in larger:
            for parameter in module.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(6)
        network.model.generation_embeddings.weight.normal_(generator=torch.Generator().manual_seed(1))
    return network, build_processor(tokenizer)


def make_model(dtype: torch.dtype = torch.float32, *, name: str = "tiny") -> JanusModel:
    """A model of one's own: what a test does to it no other test sees."""
    network, processor = parts()
    return from_network(copy.deepcopy(network).to(dtype), processor, name=name)


def picture(seed: int) -> bytes:
    """A PNG of 32 x 32 pixels in four coloured quarters."""
    quarters = np.random.default_rng(seed).integers(0, 256, size=(2, 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(quarters.repeat(16, axis=0).repeat(16, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()


def sentence(rng: np.random.Generator, length: int) -> str:
    return " ".join(rng.choice(WORDS[:-2], size=length))


def understanding_pairs(count: int, seed: int = 0) -> list[UnderstandingPair]:
    """Questions of 2 to 9 words and answers of 1 to 10, each pair with an image of its own."""
    rng = np.random.default_rng([seed, 1])
    return [
        UnderstandingPair(
            id=f"u{seed}-{i}",
            image=picture(1000 * seed + i),
            question=f"{sentence(rng, 2 + 3 * i % 8)}?",
            chosen=f"{sentence(rng, 1 + 7 * i % 10)}.",
            rejected=f"{sentence(rng, 1 + (3 + 3 * i) % 10)}.",
            provenance=BY_HAND,
        )
        for i in range(count)
    ]


def generation_pairs(count: int, seed: int = 0) -> list[GenerationPair]:
    """Prompts of 1 to 9 words with drawings of random codes."""
    rng = np.random.default_rng([seed, 2])
    pairs: list[GenerationPair] = []
    for i in range(count):
        chosen, rejected = rng.integers(0, NUM_CODES, size=(2, NUM_IMAGE_TOKENS)).tolist()
        prompt = sentence(rng, 1 + 4 * i % 9)
        codes = {"chosen_codes": tuple(chosen), "rejected_codes": tuple(rejected)}
        pairs.append(GenerationPair(id=f"g{seed}-{i}", prompt=prompt, provenance=BY_HAND, **codes))
    return pairs


def move_adapter(model: JanusModel, size: float = 0.1, seed: int = 0) -> None:
    """Put random numbers where training would: a fresh adapter has B = 0, does nothing, and gives A no gradient."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.shared_parameters():
            if "lora_B" in parameter.name:
                parameter.tensor.normal_(std=size, generator=generator)
            elif "lora_" not in parameter.name:
                parameter.tensor.add_(torch.randn(parameter.tensor.shape, generator=generator), alpha=0.1 * size)
        for _, parameter in model.head_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1 * size)


def sums_of(model: JanusModel, pairs: list[Any]) -> Tensor:
    """[pairs, 2], packed together."""
    with torch.no_grad():
        return model.log_probs(model.pack(pairs)).sums


def plain_sums(model: JanusModel, pair: Pair) -> Tensor:
    """The oracle, [2]: transformers' own forward of one plain causal sequence at a time, with the processor's own
    ids.
    """
    made = [plain_sum(model, pair, side) for side in ("chosen", "rejected")]
    return torch.stack(made)


def plain_sum(model: JanusModel, pair: Pair, side: str) -> Tensor:
    logits, target = plain_logits(model, pair, side)
    return logits.log_softmax(dim=-1).gather(-1, target[:, None]).double().sum()


def plain_logits(model: JanusModel, pair: Pair, side: str) -> tuple[Tensor, Tensor]:
    """Logits [tokens, vocabulary] at the positions that predict the response, and its tokens."""
    network, processor = model.network, model.processor
    if isinstance(pair, UnderstandingPair):
        content = [{"type": "image"}, {"type": "text", "text": pair.question}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(text=prompt, images=Image.open(io.BytesIO(pair.image)), return_tensors="pt")
        answer = processor.tokenizer(getattr(pair, side), add_special_tokens=False).input_ids
        target = torch.tensor([[*answer, processor.tokenizer.eos_token_id]])
        ids = torch.cat([inputs["input_ids"], target], dim=1)
        logits = network(input_ids=ids, pixel_values=inputs["pixel_values"], use_cache=False).logits
    else:
        prompt = processor.apply_chat_template([{"role": "user", "content": pair.prompt}], add_generation_prompt=True)
        ids = processor(text=prompt, generation_mode="image", return_tensors="pt")["input_ids"]
        target = torch.tensor([getattr(pair, f"{side}_codes")])
        codes = network.prepare_embeddings_for_image_generation(target)
        embeds = torch.cat([network.get_input_embeddings()(ids), codes], dim=1)
        hidden = network.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        logits = network.model.generation_head(hidden)
    count = target.shape[1]
    return logits[0, -count - 1 : -1], target[0]


def base_head(model: JanusModel) -> Any:
    """The image head as it was before training, also while there is a trained copy of it."""
    head = model.core.generation_head
    return getattr(head, "original_module", head)

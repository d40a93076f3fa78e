"""The names of Show-o's published weights, and how they come into a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PhiForCausalLM

from bifrons.models.showo.files import Described
from bifrons.models.showo.magvit import ImageTokenizer, TokenizerConfig
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.weights import Shapes, compare, stored_shapes, weight_files

BODY = "showo."
STEMS = ("model", "pytorch_model", "diffusion_pytorch_model")
EMBEDDING, POWERS = "quantize.embedding", "quantize.power_vals"  # stored beside the tokenizer, and known without it
CONVERT = (
    'pytorch_model.bin is pickle, which is not loaded; convert it once: python -c "import torch; '
    "from safetensors.torch import save_file; w = torch.load('pytorch_model.bin', map_location='cpu', "
    "weights_only=True); save_file({k: v.clone() for k, v in w.items()}, 'model.safetensors', {'format': 'pt'})\""
)


def body_shapes(described: Described) -> Shapes:
    with torch.device("meta"):
        return {f"{BODY}{key}": tuple(t.shape) for key, t in PhiForCausalLM(described.body).state_dict().items()}


def tokenizer_shapes(config: TokenizerConfig) -> Shapes:
    with torch.device("meta"):
        shapes = {key: tuple(t.shape) for key, t in ImageTokenizer(config).state_dict().items()}
    return shapes | {EMBEDDING: (config.num_codes, config.bits), POWERS: (config.bits,)}


def codebook(tokenizer: ImageTokenizer) -> dict[str, Tensor]:
    """The two tensors that published tokenizers store of what has no weights."""
    return {EMBEDDING: tokenizer.latents(torch.arange(tokenizer.config.num_codes)), POWERS: tokenizer.powers}


def check_weights(folder: Path, described: Described, name: str) -> tuple[list[str], list[str]]:
    """The weight files of both repositories. Raises ValueError for names and shapes that the files do not say."""
    body = weight_files(folder, name, STEMS, CONVERT)
    compare(body_shapes(described), stored_shapes(folder, name, body), name)
    other = f"{name}: image tokenizer {described.tokenizer_folder}"
    tokenizer = weight_files(described.tokenizer_folder, other, STEMS, CONVERT)
    found = stored_shapes(described.tokenizer_folder, other, tokenizer)
    stored, wanted = found.get(EMBEDDING), (described.tokenizer.num_codes, described.tokenizer.bits)
    if stored is not None and stored != wanted:
        raise ValueError(
            f"{other}: {EMBEDDING} is of {stored[0]} codes of {stored[-1]} bits, and by config.json of {wanted[0]} "
            f"codes of {wanted[1]}"
        )
    compare(tokenizer_shapes(described.tokenizer), found, other)
    return body, tokenizer


def load_network(folder: Path, described: Described, name: str, dtype: torch.dtype | None) -> ShowoNetwork:
    """The network with its weights, the body in `dtype` or in that of its files."""
    body_files, tokenizer_files = check_weights(folder, described, name)
    with torch.device("meta"):
        network = ShowoNetwork(described.body, described.layout, described.tokenizer)
    body: Any = network.showo
    first = next(stored(folder, body_files))[1].dtype
    body.to_empty(device="cpu").to(dtype or first)
    body.model.rotary_emb = type(body.model.rotary_emb)(described.body)  # not among the weights
    network.image_head.to_empty(device="cpu")
    network.tokenizer.to_empty(device="cpu")
    fill(body, ((key.removeprefix(BODY), tensor) for key, tensor in stored(folder, body_files)))
    known = codebook(network.tokenizer)
    weights: list[tuple[str, Tensor]] = []
    for key, tensor in stored(described.tokenizer_folder, tokenizer_files):
        if key not in known:
            weights.append((key, tensor))
        elif not torch.equal(tensor.double(), known[key].double()):
            raise ValueError(f"{name}: image tokenizer {described.tokenizer_folder}: {key} is not the signs of bits")
    fill(network.tokenizer, iter(weights))
    network.take_image_head()
    return network.eval()


def stored(folder: Path, files: list[str]) -> Iterator[tuple[str, Tensor]]:
    for file in files:
        with safe_open(folder / file, "pt") as opened:
            for key in opened.keys():  # noqa: SIM118
                yield key, opened.get_tensor(key)


@torch.no_grad()
def fill(module: torch.nn.Module, tensors: Iterator[tuple[str, Tensor]]) -> None:
    places = module.state_dict()
    for key, tensor in tensors:
        places[key].copy_(tensor)

"""A tiny Janus in the file layout of the published checkpoints: sharded weights with an index,
preprocessor_config.json, chat_template.jinja, special_tokens_map.json, a byte-level tokenizer of 102,400 ids whose
class says Llama, a config.json that says nothing of ties.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import JanusForConditionalGeneration

from bifrons.models.janus.shapes import shape_config
from bifrons.models.janus.stand_in import (
    BEGIN_IMAGE,
    BOS,
    CHAT_TEMPLATE,
    END_IMAGE,
    EOS,
    IMAGE,
    PAD,
    SPECIAL_IDS,
    VOCABULARY,
    stand_in_tokenizer,
)
from bifrons.records import read_json, write_json

REAL_TOKENIZER = Path(__file__).parents[2] / ".." / "shared" / "data" / "tokenizer"
IMAGE_SIZE, NUM_IMAGE_TOKENS, NUM_CODES = 64, 16, 48
SPECIAL = {"image_token": IMAGE, "boi_token": BEGIN_IMAGE, "eoi_token": END_IMAGE}


def tiny_config() -> Any:
    """Janus-Pro's own configuration with everything narrow: 4 x 4 codes of 16 pixels each, where it has 24 x 24."""
    config: Any = shape_config("janus-pro-1b", num_layers=2, vision_layers=1)
    text, vision, vq = config.text_config, config.vision_config, config.vq_config
    text.hidden_size = text.intermediate_size = 32
    text.num_attention_heads = text.num_key_value_heads = 2
    text.head_dim = 16
    vision.hidden_size, vision.num_attention_heads, vision.mlp_ratio = 32, 2, 2.0
    vision.image_size, vision.num_image_tokens = IMAGE_SIZE, NUM_IMAGE_TOKENS
    vq.base_channels, vq.num_res_blocks, vq.latent_channels = 32, 1, 32
    vq.num_embeddings, vq.num_patches = NUM_CODES, IMAGE_SIZE // vision.patch_size
    vision.projection_dim = vq.projection_dim = vq.image_token_embed_dim = text.hidden_size
    return config


def tiny_network(dtype: torch.dtype = torch.float32) -> Any:
    """Random weights, larger than transformers draws them, so that images, words and codes all matter."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = JanusForConditionalGeneration(tiny_config()).eval()
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if parameter.dim() > 1 and "vqmodel" not in key:
                parameter.mul_(4)
    return network.to(dtype)


def end_answers(network: Any) -> None:
    """Give the end token a fair chance: among 102,400 words random weights would hardly ever say it.

    Every word's embedding gets one large coordinate, which stays large through the body whatever was said before; the
    end token reads that coordinate alone.
    """
    ids = torch.randint(0, network.lm_head.weight.shape[0], (1, 256), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.get_input_embeddings().weight[:, 0] += 10
        hidden = network.model.language_model(input_ids=ids, use_cache=False).last_hidden_state[0]
        others = (hidden @ network.lm_head.weight.T).logsumexp(dim=-1).mean()
        network.lm_head.weight[SPECIAL_IDS[EOS]] = 0
        network.lm_head.weight[SPECIAL_IDS[EOS], 0] = (others - 1) / hidden[:, 0].mean()


def write_checkpoint(
    folder: Path, *, real_tokenizer: bool = False, dtype: torch.dtype = torch.float32, talkative: bool = False
) -> Path:
    """`talkative` answers end now and then."""
    network = tiny_network(dtype)
    if talkative:
        end_answers(network)
    folder.mkdir(parents=True)
    config = network.config.to_dict()
    del config["tie_word_embeddings"]  # the published file does not have it, and JanusConfig would tie
    write_json(folder / "config.json", config | {"dtype": str(dtype).removeprefix("torch.")})
    generation = {"guidance_scale": 5, "generation_kwargs": {"boi_token_id": SPECIAL_IDS[BEGIN_IMAGE]}}
    ids = {"bos_token_id": SPECIAL_IDS[BOS], "eos_token_id": SPECIAL_IDS[EOS], "pad_token_id": SPECIAL_IDS[PAD]}
    write_json(folder / "generation_config.json", generation | ids)
    write_shards(folder, network.state_dict())
    write_tokenizer(folder, real=real_tokenizer)
    write_json(
        folder / "preprocessor_config.json",
        {
            "background_color": [127, 127, 127],
            "do_normalize": True,
            "do_pad": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "JanusImageProcessor",
            "image_std": [0.5, 0.5, 0.5],
            "min_size": 14,
            "processor_class": "JanusProcessor",
            "resample": 3,
            "rescale_factor": 0.00392156862745098,
            "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        },
    )
    write_json(
        folder / "processor_config.json",
        {
            "num_image_tokens": NUM_IMAGE_TOKENS,
            "processor_class": "JanusProcessor",
            "use_default_system_prompt": True,
        },
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    return folder


def write_shards(folder: Path, tensors: dict[str, torch.Tensor], count: int = 2) -> None:
    names = sorted(tensors)
    placed: dict[str, str] = {}
    for shard in range(count):
        file = f"model-{shard + 1:05}-of-{count:05}.safetensors"
        own = names[shard::count]
        save_file({name: tensors[name].contiguous() for name in own}, folder / file, metadata={"format": "pt"})
        placed |= dict.fromkeys(own, file)
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": placed})


def write_tokenizer(folder: Path, *, real: bool) -> None:
    text = real_tokenizer_json() if real else stand_in_tokenizer().backend_tokenizer.to_str()
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    own = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    write_json(folder / "special_tokens_map.json", own | SPECIAL)
    settings = {"add_bos_token": True, "add_eos_token": False, "clean_up_tokenization_spaces": False, "unk_token": None}
    settings |= {"extra_special_tokens": SPECIAL, "model_max_length": 16_384, "tokenizer_class": "LlamaTokenizerFast"}
    settings |= {"processor_class": "JanusProcessor", "use_default_system_prompt": True}
    write_json(folder / "tokenizer_config.json", settings | own | SPECIAL)


def real_tokenizer_json() -> str:
    """DeepSeek's vocabulary with Janus's special tokens at their ids, and unused ids between them."""
    with gzip.open(REAL_TOKENIZER / "deepseek_llm_tokenizer.json.gz", "rt", encoding="utf-8") as file:
        made = json.load(file)
    by_id = {index: token for token, index in SPECIAL_IDS.items()}
    words = {by_id.get(index, word): index for word, index in made["model"]["vocab"].items()}
    reserved = {f"<unused {index}>": index for index in range(len(words), VOCABULARY) if index not in by_id}
    made["model"]["vocab"] = words | reserved | SPECIAL_IDS
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    letters = [token for token in made["added_tokens"] if token["id"] not in by_id]
    own = [{**plain, "id": index, "content": by_id[index]} for index in sorted(by_id)]
    made["added_tokens"] = sorted([*letters, *own], key=lambda token: token["id"])
    made["post_processor"] = json.loads(stand_in_tokenizer().backend_tokenizer.to_str())["post_processor"]
    return json.dumps(made)


def edit(folder: Path, file: str, **changes: Any) -> None:
    """Change keys of a JSON file; `None` takes one out, and `part__key` reaches into a part."""
    values = read_json(folder / file)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = values
        for parent in parents:
            place = place[parent]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    write_json(folder / file, values)

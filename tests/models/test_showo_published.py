"""A Show-o checkpoint in the published layout: three repositories, the body's weights under a prefix."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_janus import picture
from tiny_showo import generation_pairs, layout, make_model, network, write_checkpoint
from transformers import PhiConfig, PhiForCausalLM

from bifrons import load
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.files import Described
from bifrons.models.showo.layout import Layout
from bifrons.models.showo.magvit import TokenizerConfig
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import body_config
from bifrons.models.showo.weights import body_shapes
from bifrons.records import read_json, write_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.safetensors"])
def test_a_checkpoint_is_what_its_files_hold(file: str, tmp_path: Path) -> None:
    """Recognised by its class; every weight in its place, and the same fingerprint as the network that wrote it."""
    model, own = load(str(write_checkpoint(tmp_path / "here", file=file)), device="cpu"), make_model()
    assert isinstance(model, ShowoModel) and model.identity.family == "showo"
    assert model.identity.fingerprint == own.identity.fingerprint
    pairs = generation_pairs()
    with torch.no_grad():
        assert torch.equal(model.log_probs(model.pack(pairs)).sums, own.log_probs(own.pack(pairs)).sums)
    assert model.encode([picture(0)]) == own.encode([picture(0)])
    assert (model.drawing.steps, model.drawing.guidance, model.drawing.compounding) == (50, 6.0, False)


def test_the_body_is_transformers_own_phi(folder: Path) -> None:
    """What is stored under the prefix loads into Phi by its own names, and gives the same states."""
    model = load(str(folder), device="cpu")
    assert isinstance(model, ShowoModel)
    stored = load_file(folder / "model.safetensors")
    assert all(key.startswith("showo.") for key in stored)
    phi = PhiForCausalLM(model.network.showo.config).eval()
    phi.load_state_dict({key.removeprefix("showo."): tensor for key, tensor in stored.items()})
    ids = torch.arange(1, 9)[None]
    with torch.no_grad():
        assert torch.equal(phi(input_ids=ids).logits, model.network.showo(input_ids=ids).logits)


def test_the_dtype_is_that_of_the_files_unless_asked(folder: Path, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "half")
    weights = {key: tensor.to(torch.bfloat16) for key, tensor in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors")
    assert load(str(other)).identity.facts["dtype"] == "bfloat16"
    assert load(str(folder), dtype=torch.bfloat16).identity.facts["dtype"] == "bfloat16"
    assert load(str(folder)).identity.facts["dtype"] == "float32"


def test_shards_with_an_index(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "shards")
    whole = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    names = sorted(whole)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, keys in parts.items():
        save_file({key: whole[key] for key in keys}, checkpoint / file)
    placed = {key: file for file, keys in parts.items() for key in keys}
    write_json(checkpoint / "model.safetensors.index.json", {"weight_map": placed})
    assert load(str(checkpoint)).identity.fingerprint == make_model().identity.fingerprint


def test_companions_may_lie_inside(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "inside")
    for name in ("phi-1_5", "magvitv2"):
        (checkpoint.parent / name).rename(checkpoint / name)
    config = read_json(checkpoint / "config.json")
    write_json(checkpoint / "config.json", config | {"llm_model_path": "phi-1_5", "vq_model_name": "magvitv2"})
    assert load(str(checkpoint)).identity.fingerprint == make_model().identity.fingerprint


def test_drawing_settings_are_read_where_a_checkpoint_has_them(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "settings")
    write_json(checkpoint / "generation_config.json", {"steps": 7, "guidance": 2.5, "compounding": True})
    model = load(str(checkpoint), device="cpu")
    assert isinstance(model, ShowoModel)
    assert (model.drawing.steps, model.drawing.guidance, model.drawing.compounding) == (7, 2.5, True)
    write_json(checkpoint / "generation_config.json", {"steps": "7"})
    with pytest.raises(ValueError, match="steps is '7'"):
        load(str(checkpoint))


def test_the_image_head_is_the_heads_rows_of_codes() -> None:
    own, rows = network(), layout()
    model = make_model()
    head = model.network.image_head
    assert torch.equal(head.weight, own.showo.lm_head.weight[rows.first_code : rows.mask])
    assert torch.equal(head.bias, own.showo.lm_head.bias[rows.first_code : rows.mask])


def test_the_published_size() -> None:
    """Show-o 512 by its own numbers: Phi-1.5's body, 58,498 rows of words, special tokens, codes and mask, untied."""
    rows = Layout(num_words=50_295, num_codes=8192, num_image_tokens=1024)
    body = body_config(PhiConfig(hidden_size=2048, num_hidden_layers=24, num_attention_heads=32), rows)
    described = Described(
        layout=rows,
        body=body,
        words=None,
        tokenizer=TokenizerConfig(),
        tokenizer_folder=Path(),
        drawing=DrawingSettings(),
    )
    shapes = body_shapes(described)
    assert shapes["showo.model.embed_tokens.weight"] == shapes["showo.lm_head.weight"] == (58_498, 2048)
    assert shapes["showo.lm_head.bias"] == (58_498,)
    assert shapes["showo.model.layers.23.self_attn.q_layernorm.weight"] == (64,)
    assert shapes["showo.model.layers.0.mlp.fc1.weight"] == (8192, 2048)
    assert len(shapes) == 24 * 18 + 5

"""From a name or a folder to a model, and what is refused on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_janus import generation_pairs, make_model, move_adapter, parts, sums_of, understanding_pairs

from bifrons import load
from bifrons.protocol import AdapterSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in the Hugging Face layout."""
    made = tmp_path_factory.mktemp("weights") / "tiny"
    network, processor = parts()
    network.save_pretrained(made)
    processor.save_pretrained(made)
    return made


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    """The same fingerprint, prompts and log-probabilities to the last bit."""
    loaded, built = load(str(folder)), make_model()
    assert loaded.identity.fingerprint == built.identity.fingerprint
    assert loaded.identity.name == str(folder)
    for pairs in (understanding_pairs(2), generation_pairs(2)):
        assert torch.equal(sums_of(loaded, pairs), sums_of(built, pairs))  # pyright: ignore[reportArgumentType]


def test_dtype_and_adapter_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    first = load(str(folder), dtype=torch.bfloat16)
    first.add_adapter(AdapterSettings(rank=2, alpha=4.0))
    move_adapter(first)  # pyright: ignore[reportArgumentType]
    first.save_adapter(tmp_path / "adapter")
    second = load(str(folder), dtype=torch.bfloat16, adapter=tmp_path / "adapter")
    assert second.identity.facts["dtype"] == "bfloat16"
    pairs = generation_pairs(2)
    assert torch.equal(sums_of(first, pairs), sums_of(second, pairs))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["nothing", "a/b/c"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """A word that is no folder and no hub name; nothing is asked of the network."""
    with pytest.raises(ValueError, match=f"no model '{name}': give organism"):
        load(name)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no config.json"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    with pytest.raises(ValueError, match="model type 'llama' is not supported; supported are janus"):
        load(str(tmp_path))


def test_weights_in_another_format_are_refused(tmp_path: Path) -> None:
    """Pickled weights can run code: they are not even looked at."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "janus"}), encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not looked at")
    with pytest.raises(ValueError, match="holds no safetensors weights"):
        load(str(tmp_path))

"""An adapter goes out: into plain PEFT on plain transformers, and merged into a checkpoint that anyone can load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tiny_janus import SETTINGS, generation_pairs, make_model, move_adapter, parts, plain_sums, sums_of
from tiny_janus import understanding_pairs as make_understanding
from torch import Tensor
from transformers import JanusForConditionalGeneration

from bifrons import load
from bifrons.export import export_adapter
from bifrons.merge import soup
from bifrons.models.adapter import quiet
from bifrons.models.janus import from_network
from bifrons.models.janus.model import JanusModel
from bifrons.records import read_json, write_json

UNDERSTANDING, GENERATION = make_understanding(2), generation_pairs(2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("weights") / "tiny"
    network, processor = parts()
    network.save_pretrained(made)
    processor.save_pretrained(made)
    return made


def adapter_of(base: Path, folder: Path, seed: int = 0) -> tuple[Path, Tensor]:
    """A trained adapter and its log-probabilities, [4, 2]."""
    model: Any = load(str(base), device="cpu")
    model.add_adapter(replace(SETTINGS, seed=seed))
    move_adapter(model, seed=seed)
    model.save_adapter(folder)
    return folder, both(model)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor]:
    return adapter_of(base, tmp_path_factory.mktemp("run") / "adapter")


def both(model: Any) -> Tensor:
    return torch.cat([sums_of(model, UNDERSTANDING), sums_of(model, GENERATION)])


def plain(network: Any) -> Tensor:
    """The oracle: transformers' own forward of one plain row at a time. Only the prompts' ids come from the model."""
    _, processor = parts()
    view: Any = type("View", (), {"network": network, "processor": processor})
    with torch.no_grad():
        return torch.stack([plain_sums(view, pair) for pair in (*UNDERSTANDING, *GENERATION)])


def test_plain_peft_gives_our_log_probs(base: Path, adapter: tuple[Path, Tensor]) -> None:
    """PeftModel on a freshly loaded network, nothing of this library in between; the trained head is in it."""
    folder, ours = adapter
    network = JanusForConditionalGeneration.from_pretrained(base)
    before = plain(network)
    with quiet():
        wrapped: Any = PeftModel.from_pretrained(network, str(folder)).eval()
    torch.testing.assert_close(plain(wrapped.base_model.model), ours, rtol=1e-5, atol=1e-4)
    assert ((before - ours).abs() > 1e-3).all()
    trained = load_file(folder / "adapter_model.safetensors")
    head = wrapped.base_model.model.model.generation_head.modules_to_save["default"].proj_out.weight
    assert torch.equal(head, trained["base_model.model.model.generation_head.proj_out.weight"])


def test_a_merged_checkpoint_gives_the_adapters_values(
    base: Path, adapter: tuple[Path, Tensor], tmp_path: Path
) -> None:
    """Through `bifrons.load` and through plain transformers; without any adapter; answers and drawings still work."""
    folder, ours = adapter
    made = export_adapter(folder, tmp_path / "merged")
    assert made.rounding is not None and made.rounding < 1e-5
    loaded: Any = load(str(made.folder), device="cpu")
    assert loaded.adapted is None
    torch.testing.assert_close(both(loaded), ours, rtol=1e-5, atol=1e-4)
    network, found = JanusForConditionalGeneration.from_pretrained(made.folder, output_loading_info=True)
    assert not any(found[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    torch.testing.assert_close(plain(network), ours, rtol=1e-5, atol=1e-4)
    assert network.config.tie_word_embeddings is False
    assert read_json(made.folder / "config.json")["dtype"] == "float32"
    assert len(loaded.draw([GENERATION[0].prompt])[0].codes) == loaded.num_image_tokens
    assert loaded.guidance == load(str(base)).guidance  # pyright: ignore[reportAttributeAccessIssue]


def test_only_what_was_trained_changes(base: Path, adapter: tuple[Path, Tensor], tmp_path: Path) -> None:
    before = load_file(base / "model.safetensors")
    after = load_file(export_adapter(adapter[0], tmp_path / "merged").folder / "model.safetensors")
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert len(changed) == 2 * 7 + 4
    assert all("language_model.layers" in name or "generation_head" in name for name in changed)


def test_a_soup_is_exported_like_any_adapter(base: Path, adapter: tuple[Path, Tensor], tmp_path: Path) -> None:
    other, _ = adapter_of(base, tmp_path / "other", seed=1)
    soup(adapter[0], other, 0.25, tmp_path / "soup")
    model: Any = load(str(base), device="cpu", adapter=tmp_path / "soup")
    expected = both(model)
    merged = export_adapter(tmp_path / "soup", tmp_path / "merged")
    torch.testing.assert_close(both(load(str(merged.folder), device="cpu")), expected, rtol=1e-5, atol=1e-4)
    assert ((expected - adapter[1]).abs() > 1e-3).all()


def test_an_adapter_without_a_head_is_merged(base: Path, tmp_path: Path) -> None:
    model: Any = load(str(base), device="cpu")
    model.add_adapter(replace(SETTINGS, train_head=False))
    move_adapter(model)
    model.save_adapter(tmp_path / "adapter")
    merged = export_adapter(tmp_path / "adapter", tmp_path / "merged")
    torch.testing.assert_close(both(load(str(merged.folder), device="cpu")), both(model), rtol=1e-5, atol=1e-4)


def test_rounding_is_measured(adapter: tuple[Path, Tensor], base: Path, tmp_path: Path) -> None:
    """In bf16 a part of the update is lost, and how much is said: it is the distance of what is stored to the sum."""
    made = export_adapter(adapter[0], tmp_path / "merged", dtype=torch.bfloat16)
    stored = load_file(made.folder / "model.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.bfloat16}
    base_weights = {k: v.float() for k, v in load_file(base / "model.safetensors").items()}
    trained, scale = load_file(adapter[0] / "adapter_model.safetensors"), SETTINGS.alpha / SETTINGS.rank
    name = "model.language_model.layers.0.mlp.up_proj"
    prefix = f"base_model.model.{name}"
    delta = scale * trained[f"{prefix}.lora_B.weight"] @ trained[f"{prefix}.lora_A.weight"]
    expected = base_weights[f"{name}.weight"] + delta
    torch.testing.assert_close(stored[f"{name}.weight"], expected.bfloat16(), rtol=0, atol=0)
    assert made.rounding is not None and 1e-4 < made.rounding < 1


def test_an_adapter_trained_in_bf16_finds_its_base(base: Path, tmp_path: Path) -> None:
    """Its files say in what it was trained, and so whose weights' fingerprint they hold."""
    model: Any = load(str(base), device="cpu", dtype=torch.bfloat16)
    model.add_adapter(SETTINGS)
    move_adapter(model)
    model.save_adapter(tmp_path / "adapter")
    made = export_adapter(tmp_path / "adapter", tmp_path / "merged")
    assert {t.dtype for t in load_file(made.folder / "model.safetensors").values()} == {torch.bfloat16}
    exact = export_adapter(tmp_path / "adapter", tmp_path / "exact", dtype=torch.float32)
    assert made.rounding is not None and exact.rounding is not None and exact.rounding < 1e-3 < made.rounding


def test_plain_files_need_no_base(adapter: tuple[Path, Tensor], tmp_path: Path) -> None:
    """Where only the adapter is wanted, a base that is not here does not matter."""
    folder = tmp_path / "moved"
    folder.mkdir()
    for path in adapter[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for file, key in (("bifrons.json", "base"), ("adapter_config.json", "base_model_name_or_path")):
        write_json(folder / file, read_json(folder / file) | {key: "someone/gone"})
    made = export_adapter(folder, tmp_path / "plain", merge=False)
    files = {"adapter_config.json", "adapter_model.safetensors", "bifrons.json", "README.md"}
    assert {p.name for p in made.folder.iterdir()} == files and made.rounding is None
    assert 'base_model: "someone/gone"' in (made.folder / "README.md").read_text(encoding="utf-8")


def test_what_cannot_be_exported_is_refused(adapter: tuple[Path, Tensor], base: Path, tmp_path: Path) -> None:
    """And leaves nothing behind."""
    with pytest.raises(ValueError, match="empty: holds no adapter"):
        export_adapter(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ValueError, match="exists already"):
        export_adapter(adapter[0], base)
    network, processor = parts()
    foreign = from_network(network, processor, name="other")
    assert isinstance(foreign, JanusModel)
    other = tmp_path / "other"
    changed = make_model()
    with torch.no_grad():
        changed.network.lm_head.weight.add_(1)
    changed.network.save_pretrained(other)
    processor.save_pretrained(other)
    with pytest.raises(ValueError, match="is an adapter of .* whose weights are not those of"):
        export_adapter(adapter[0], tmp_path / "out", base=str(other))
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    (nameless / "adapter_model.safetensors").write_bytes((adapter[0] / "adapter_model.safetensors").read_bytes())
    (nameless / "adapter_config.json").write_text(json.dumps({"r": 4}))
    with pytest.raises(ValueError, match="does not say what its base is"):
        export_adapter(nameless, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))

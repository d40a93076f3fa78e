"""A soup interpolates what two adapters do: B A scaled, and the head; its ends are the two adapters."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_janus import SETTINGS, generation_pairs, make_model, move_adapter, sums_of, understanding_pairs
from torch import Tensor

from bifrons.merge import soup
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.records import read_json, write_json

UNDERSTANDING, GENERATION = understanding_pairs(3), generation_pairs(3)
WEIGHTS = (0.0, 0.25, 0.5, 1.0)


def make_adapter(folder: Path, seed: int, settings: AdapterSettings = SETTINGS, name: str = "tiny") -> Path:
    """Both factors and the head differ between seeds."""
    model = make_model(name=name)
    model.add_adapter(replace(settings, seed=seed))
    move_adapter(model, seed=seed)
    model.save_adapter(folder)
    return folder


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return make_adapter(folder / "understanding", 1), make_adapter(folder / "generation", 2)


def both(model: JanusModel) -> Tensor:
    return torch.cat([sums_of(model, UNDERSTANDING), sums_of(model, GENERATION)])


def updates(folder: Path) -> dict[str, Tensor]:
    """What an adapter adds to each weight, alpha / rank * B A, by the plain definition and in float64."""
    tensors, config = load_file(folder / "adapter_model.safetensors"), read_json(folder / "adapter_config.json")
    scale = config["lora_alpha"] / config["r"]
    return {
        name: scale * tensors[name.replace(".lora_A.", ".lora_B.")].double() @ tensor.double()
        for name, tensor in tensors.items()
        if ".lora_A." in name
    }


def heads(folder: Path) -> dict[str, Tensor]:
    tensors = load_file(folder / "adapter_model.safetensors")
    return {name: tensor for name, tensor in tensors.items() if "generation_head" in name}


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_effective_update_is_interpolated(ends: tuple[Path, Path], tmp_path: Path, weight: float) -> None:
    """On every projection to 1e-6 of its size: no cross terms of one adapter's B with the other's A."""
    soup(*ends, weight, tmp_path)
    first, second, mixed = updates(ends[0]), updates(ends[1]), updates(tmp_path)
    assert set(mixed) == set(first) and len(mixed) == 14
    for name, update in mixed.items():
        expected = (1 - weight) * first[name] + weight * second[name]
        assert (update - expected).norm() <= 1e-6 * expected.norm()


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_head_is_interpolated(ends: tuple[Path, Path], tmp_path: Path, weight: float) -> None:
    soup(*ends, weight, tmp_path)
    first, second, mixed = heads(ends[0]), heads(ends[1]), heads(tmp_path)
    assert set(mixed) == set(first) and len(mixed) > 0
    for name, tensor in mixed.items():
        assert not torch.equal(first[name], second[name])
        torch.testing.assert_close(tensor, (1 - weight) * first[name] + weight * second[name], rtol=0, atol=1e-6)


def test_averaged_factors_would_be_no_soup(ends: tuple[Path, Path]) -> None:
    """The control: interpolating A and B themselves misses the effective update by far more than the tolerance."""
    tensors = [load_file(folder / "adapter_model.safetensors") for folder in ends]
    name = next(name for name in tensors[0] if ".lora_A." in name)
    up = name.replace(".lora_A.", ".lora_B.")
    averaged = 2 * torch.lerp(tensors[0][up], tensors[1][up], 0.5) @ torch.lerp(tensors[0][name], tensors[1][name], 0.5)
    expected = 0.5 * (updates(ends[0])[name] + updates(ends[1])[name])
    assert (averaged - expected).norm() > 0.1 * expected.norm()


@pytest.mark.parametrize(("weight", "end"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_adapters(
    model: JanusModel, ends: tuple[Path, Path], tmp_path: Path, weight: float, end: int
) -> None:
    """Weights 0 and 1 give the log-probabilities of one adapter, through `load_adapter` as any other adapter does."""
    soup(*ends, weight, tmp_path)
    model.load_adapter(ends[end])
    expected = both(model)
    model.load_adapter(ends[1 - end])
    assert ((both(model) - expected).abs() > 1e-3).all()
    model.load_adapter(tmp_path)
    torch.testing.assert_close(both(model), expected, rtol=1e-6, atol=1e-4)


def test_a_soup_is_an_adapter_like_any_other(model: JanusModel, ends: tuple[Path, Path], tmp_path: Path) -> None:
    """It says whose it is, can be saved and loaded again, and a soup of it with itself changes nothing."""
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    soup(*ends, 0.5, first)
    assert read_json(first / "bifrons.json")["fingerprint"] == model.identity.fingerprint
    model.load_adapter(first)
    expected = both(model)
    model.save_adapter(second)
    model.load_adapter(second)
    assert torch.equal(both(model), expected)
    soup(first, second, 0.25, third)
    model.load_adapter(third)
    torch.testing.assert_close(both(model), expected, rtol=1e-6, atol=1e-4)


def test_the_ends_are_left_as_they_are(ends: tuple[Path, Path], tmp_path: Path) -> None:
    before = [path.read_bytes() for folder in ends for path in sorted(folder.iterdir())]
    soup(*ends, 0.5, tmp_path)
    assert [path.read_bytes() for folder in ends for path in sorted(folder.iterdir())] == before


@pytest.mark.parametrize("weight", [-0.01, 1.01, float("nan")])
def test_a_weight_out_of_range_is_refused(ends: tuple[Path, Path], tmp_path: Path, weight: float) -> None:
    with pytest.raises(ValueError, match=f"the soup's weight is {weight}"):
        soup(*ends, weight, tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


@pytest.mark.parametrize(
    ("settings", "name", "differs"),
    [
        (replace(SETTINGS, rank=2), "tiny", "r: 4 and 2"),
        (replace(SETTINGS, alpha=16.0), "tiny", "lora_alpha: 8.0 and 16.0"),
        (SETTINGS, "cousin", "base_model_name_or_path: tiny and cousin"),
    ],
)
def test_adapters_that_do_not_belong_together_are_refused(
    ends: tuple[Path, Path], tmp_path: Path, settings: AdapterSettings, name: str, differs: str
) -> None:
    other = make_adapter(tmp_path / "other", 2, settings, name)
    with pytest.raises(ValueError, match=f"other differ in {differs}"):
        soup(ends[0], other, 0.5, tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


def test_adapters_with_other_tensors_are_refused(ends: tuple[Path, Path], tmp_path: Path) -> None:
    """One of them trained the head, the other did not."""
    other = make_adapter(tmp_path / "other", 2, replace(SETTINGS, train_head=False))
    with pytest.raises(ValueError, match="hold different tensors"):
        soup(ends[0], other, 0.5, tmp_path / "soup")


def test_bases_of_one_name_and_other_weights_are_refused(ends: tuple[Path, Path], tmp_path: Path) -> None:
    """A base that was trained again keeps its name: its fingerprint tells."""
    other = tmp_path / "other"
    shutil.copytree(ends[1], other)
    write_json(other / "bifrons.json", read_json(other / "bifrons.json") | {"fingerprint": "0" * 20})
    with pytest.raises(ValueError, match="other belong to bases of different weights"):
        soup(ends[0], other, 0.5, tmp_path / "soup")


@pytest.mark.parametrize("option", ["use_rslora", "use_dora"])
def test_other_kinds_of_lora_are_refused(ends: tuple[Path, Path], tmp_path: Path, option: str) -> None:
    """Rank-stabilised scaling is not kept by doubling rank and alpha, and DoRA's update is not B A."""
    folders: list[Path] = []
    for end in ends:
        folders.append(tmp_path / end.name)
        shutil.copytree(end, folders[-1])
        path = folders[-1] / "adapter_config.json"
        write_json(path, read_json(path) | {option: True})
    with pytest.raises(ValueError, match=option):
        soup(folders[0], folders[1], 0.5, tmp_path / "soup")


def test_a_folder_without_an_adapter_is_refused(ends: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty: holds no adapter"):
        soup(ends[0], tmp_path / "empty", 0.5, tmp_path / "soup")


def test_an_adapter_from_elsewhere_needs_no_card(ends: tuple[Path, Path], tmp_path: Path) -> None:
    """PEFT's own files are enough; what says whose adapter it is comes from the end that has it."""
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(ends[1] / "adapter_config.json", bare)
    save_file(load_file(ends[1] / "adapter_model.safetensors"), bare / "adapter_model.safetensors")
    soup(ends[0], bare, 0.5, tmp_path / "soup")
    assert (tmp_path / "soup" / "bifrons.json").is_file()

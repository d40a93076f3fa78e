"""The public networks with random weights: their files, their shapes, and an oracle where its package is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bifrons.organism.clip import build_clip, build_clip_tokenizer, build_image_processor
from bifrons.scorers.clip import load_clip
from bifrons.scorers.inception import Inception, load_inception
from bifrons.scorers.lpips import CHANNELS, Lpips, load_lpips
from bifrons.scorers.public import PickScore, PublicNetworks
from bifrons.scorers.weights import load_weights

RNG = np.random.default_rng(0)
PICTURES = list(RNG.integers(0, 256, size=(4, 64, 64, 3), dtype=np.uint8))


def saved(network: torch.nn.Module, path: Path, **more: torch.Tensor) -> Path:
    tensors = {name: t.contiguous() for name, t in network.state_dict().items() if "num_batches" not in name}
    save_file(tensors | more, path)
    return path


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random, with batch statistics that are no identity, and the classifier that public files carry along."""
    torch.manual_seed(0)
    network = Inception()
    for name, value in network.state_dict().items():
        if name.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5)
    return saved(network, tmp_path_factory.mktemp("inception") / "inception.safetensors", **{"fc.bias": torch.ones(8)})


@pytest.mark.slow
def test_inception_reads_its_file_and_measures(inception_file: Path) -> None:
    """2048 features a picture; a set has no distance from itself; a single network object serves both sides."""
    scorer = load_inception(inception_file)
    features = scorer.features(PICTURES[:2])
    assert features.shape == (2, 2048) and bool(features.isfinite().all())
    assert torch.allclose(scorer.features(PICTURES[:1]), features[:1], atol=1e-4)
    assert scorer.distance(PICTURES[:2], PICTURES[:2]) == pytest.approx(0, abs=1e-5)


def test_inception_has_the_shape_of_the_public_port() -> None:
    """94 convolutions and 21.8 million weights without the classifier."""
    network = Inception()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 94
    assert sum(p.numel() for p in network.parameters()) == 21_785_568
    names = set(network.state_dict())
    for name in (
        "Mixed_5b.branch5x5_2",
        "Mixed_6e.branch7x7dbl_5",
        "Mixed_7a.branch7x7x3_4",
        "Mixed_7c.branch3x3dbl_3b",
    ):
        assert f"{name}.conv.weight" in names
    assert "Mixed_6a.branch3x3.conv.weight" in names and "Mixed_7b.branch_pool.bn.bias" in names


def test_inception_against_torch_fidelity(inception_file: Path, tmp_path: Path) -> None:
    """The same weights and pixels of the network's own size give the same features."""
    oracle: Any = pytest.importorskip("torch_fidelity", reason="torch_fidelity needs torchvision", exc_type=ImportError)
    scorer = load_inception(inception_file)
    weights = scorer.network.state_dict() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(weights, tmp_path / "weights.pth")
    other = oracle.FeatureExtractorInceptionV3("own", ["2048"], feature_extractor_weights_path=tmp_path / "weights.pth")
    picture = RNG.integers(0, 256, size=(299, 299, 3), dtype=np.uint8)
    expected = other(torch.from_numpy(picture).permute(2, 0, 1)[None])[0]
    assert torch.allclose(scorer.features([picture]), expected, rtol=1e-4, atol=1e-5)


def test_lpips_against_its_package(tmp_path: Path) -> None:
    """The same weights and pictures give the same distance."""
    oracle: Any = pytest.importorskip("lpips", reason="lpips needs torchvision", exc_type=ImportError)
    other = oracle.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    modules = [m for i in range(1, 6) for m in getattr(other.net, f"slice{i}") if isinstance(m, torch.nn.Conv2d)]
    tensors = {f"lin{i}.model.1.weight": getattr(other, f"lin{i}").model[1].weight for i in range(5)}
    for index, module in zip((0, 3, 6, 8, 10), modules, strict=True):
        tensors |= {f"features.{index}.weight": module.weight, f"features.{index}.bias": module.bias}
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, tmp_path / "own")
    found = load_lpips(tmp_path / "own").distances(PICTURES[:2], PICTURES[2:])
    shown = [torch.from_numpy(np.stack(PICTURES[i : i + 2])).permute(0, 3, 1, 2) / 127.5 - 1 for i in (0, 2)]
    assert found == pytest.approx(other(*shown).detach().flatten().tolist(), rel=1e-4)


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_lpips_reads_its_file_and_measures(kind: Any, tmp_path: Path) -> None:
    """Which network it is the file says; equal pictures have distance 0, the diversity is the mean of the pairs."""
    torch.manual_seed(0)
    network = Lpips(kind)
    for name, value in network.state_dict().items():
        if name.startswith("lin"):
            value.uniform_(0, 1)
    scorer = load_lpips(saved(network, tmp_path / "lpips.safetensors", **{"classifier.1.bias": torch.ones(8)}))
    layers = scorer.layers(PICTURES[:3])
    assert tuple(layer.shape[-1] for layer in layers) == CHANNELS[kind]
    assert scorer.distances(PICTURES[:2], PICTURES[:2]) == pytest.approx([0, 0], abs=1e-12)
    pairs = scorer.distances([PICTURES[0], PICTURES[0], PICTURES[1]], [PICTURES[1], PICTURES[2], PICTURES[2]])
    assert scorer.diversity(PICTURES[:3]) == pytest.approx(sum(pairs) / 3, rel=1e-4) and min(pairs) > 0


def test_lpips_looks_behind_the_relus_of_the_paper() -> None:
    """AlexNet's five and VGG's 1_2, 2_2, 3_3, 4_3, 5_3, counted in torchvision's order of modules."""
    assert Lpips("alex").seen == [1, 4, 7, 9, 11]
    assert Lpips("vgg").seen == [3, 8, 15, 22, 29]


@pytest.mark.slow
def test_pick_score_is_scaled_cosine(tmp_path: Path) -> None:
    """exp(logit scale) x cosine, from a folder of a CLIP of any size; the networks that are not named are absent."""
    torch.manual_seed(0)
    tokenizer = build_clip_tokenizer()
    network = build_clip(tokenizer, width=32, layers=1, patch_size=8, projection=16)
    network.logit_scale.data.fill_(3.0)
    for part in (network, tokenizer, build_image_processor()):
        part.save_pretrained(tmp_path)
    texts = ["a red circle", "two squares", "a triangle", "blue"]
    clip = load_clip(str(tmp_path))
    cosines = (clip.embed_images(PICTURES) * clip.embed_texts(texts)).sum(dim=-1)
    found = PublicNetworks(pick_score=str(tmp_path))
    assert found.preference is not None and found.frechet is None and found.diversity is None
    assert found.preference(PICTURES, texts) == pytest.approx((np.exp(3.0) * cosines).tolist(), rel=1e-5)
    assert PickScore(clip).scale == pytest.approx(np.exp(3.0)) and not clip.on_scenes


def test_bad_weight_files_are_named(tmp_path: Path) -> None:
    """Missing, pickled, another network's, one weight short, one too many: one line each, with the file."""
    network = torch.nn.Linear(3, 2)
    pickled = tmp_path / "pickled.safetensors"
    torch.save(network.state_dict(), pickled)
    cases = {
        "no such file": tmp_path / "absent",
        "not a safetensors file": pickled,
        "lacks the weight bias": tmp_path / "short",
        "which this network has not": tmp_path / "long",
        "is (3, 3), not (2, 3)": tmp_path / "wide",
    }
    save_file({"weight": torch.ones(2, 3)}, cases["lacks the weight bias"])
    save_file(
        {"weight": torch.ones(2, 3), "bias": torch.ones(2), "c": torch.ones(1)}, cases["which this network has not"]
    )
    save_file({"weight": torch.ones(3, 3), "bias": torch.ones(2)}, cases["is (3, 3), not (2, 3)"])
    for message, file in cases.items():
        with pytest.raises(ValueError, match=file.name) as caught:
            load_weights(network, file)
        assert message in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="holds no LPIPS network"):
        load_lpips(cases["lacks the weight bias"])
    with pytest.raises(ValueError, match="lacks the weight"):
        load_inception(cases["lacks the weight bias"])

"""Inception v3 as FID uses it: the 2015 TensorFlow network, whose average pools leave the padding out and whose last
block pools by maximum (Szegedy et al. 2016; Heusel et al. 2017).

Weights come from a safetensors file with the names of the usual PyTorch port (`Mixed_5b.branch1x1.conv.weight`, ...).
Pickled weights are not read; `torch.load(file, weights_only=True)` and `safetensors.torch.save_file` make one from the
other. No torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from bifrons.records.pictures import to_image
from bifrons.scorers.device import device_of, fastest, full_precision
from bifrons.scorers.frechet import frechet_distance
from bifrons.scorers.weights import load_weights

SIZE = 299
STEM = (  # name, channels in and out, kernel, stride, padding
    ("Conv2d_1a_3x3", 3, 32, 3, 2, 0),
    ("Conv2d_2a_3x3", 32, 32, 3, 1, 0),
    ("Conv2d_2b_3x3", 32, 64, 3, 1, 1),
    ("Conv2d_3b_1x1", 64, 80, 1, 1, 0),
    ("Conv2d_4a_3x3", 80, 192, 3, 1, 0),
)
Kernel = int | tuple[int, int]


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inside: int, outside: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, images: Tensor) -> Tensor:
        return relu(self.bn(self.conv(images)))


class Block(nn.Module):
    """Branches side by side, each a chain of units by name; `split` names units that both follow a chain's end; `pool`
    is what stands beside the branches.
    """

    def __init__(
        self,
        branches: dict[str, list[Unit]],
        pool: str,
        pool_unit: Unit | None = None,
        split: dict[str, tuple[Unit, Unit]] | None = None,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.chains: list[list[str]] = []
        for name, units in branches.items():
            ends = (split or {}).get(name)
            names = [name] if len(units) == 1 and not ends else [f"{name}_{i + 1}" for i in range(len(units))]
            for unit_name, unit in zip(names, units, strict=True):
                self.add_module(unit_name, unit)
            for letter, unit in zip("ab", ends or (), strict=False):
                self.add_module(f"{name}_{len(units) + 1}{letter}", unit)
            self.chains.append([*names, f"{name}_{len(units) + 1}"] if ends else names)
        if pool_unit is not None:
            self.branch_pool = pool_unit
        self.has_pool_unit = pool_unit is not None

    def forward(self, images: Tensor) -> Tensor:
        made: list[Tensor] = []
        for chain in self.chains:
            inside = images
            for name in chain:
                if hasattr(self, name):
                    inside = getattr(self, name)(inside)
                else:
                    inside = torch.cat([getattr(self, f"{name}{letter}")(inside) for letter in "ab"], dim=1)
            made.append(inside)
        if self.pool == "average":
            pooled = avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
        elif self.pool == "maximum":
            pooled = max_pool2d(images, 3, stride=1, padding=1)
        else:
            pooled = max_pool2d(images, 3, stride=2)
        made.append(self.branch_pool(pooled) if self.has_pool_unit else pooled)
        return torch.cat(made, dim=1)


def squares(inside: int, pooled: int) -> Block:
    """35 x 35."""
    branches = {
        "branch1x1": [Unit(inside, 64, 1)],
        "branch5x5": [Unit(inside, 48, 1), Unit(48, 64, 5, padding=2)],
        "branch3x3dbl": [Unit(inside, 64, 1), Unit(64, 96, 3, padding=1), Unit(96, 96, 3, padding=1)],
    }
    return Block(branches, "average", Unit(inside, pooled, 1))


def to_17(inside: int) -> Block:
    branches = {
        "branch3x3": [Unit(inside, 384, 3, 2)],
        "branch3x3dbl": [Unit(inside, 64, 1), Unit(64, 96, 3, padding=1), Unit(96, 96, 3, 2)],
    }
    return Block(branches, "half")


def crosses(width: int, inside: int = 768) -> Block:
    """17 x 17: kernels of 7 x 1 and 1 x 7."""
    row: tuple[Kernel, Kernel] = ((1, 7), (0, 3))
    column: tuple[Kernel, Kernel] = ((7, 1), (3, 0))

    def unit(first: int, last: int, shape: tuple[Kernel, Kernel]) -> Unit:
        return Unit(first, last, shape[0], padding=shape[1])

    double = [unit(width, width, column), unit(width, width, row), unit(width, width, column), unit(width, 192, row)]
    branches = {
        "branch1x1": [Unit(inside, 192, 1)],
        "branch7x7": [Unit(inside, width, 1), unit(width, width, row), unit(width, 192, column)],
        "branch7x7dbl": [Unit(inside, width, 1), *double],
    }
    return Block(branches, "average", Unit(inside, 192, 1))


def to_8(inside: int) -> Block:
    crossed = [Unit(192, 192, (1, 7), padding=(0, 3)), Unit(192, 192, (7, 1), padding=(3, 0)), Unit(192, 192, 3, 2)]
    branches = {
        "branch3x3": [Unit(inside, 192, 1), Unit(192, 320, 3, 2)],
        "branch7x7x3": [Unit(inside, 192, 1), *crossed],
    }
    return Block(branches, "half")


def forks(inside: int, pool: str) -> Block:
    """8 x 8: chains that end in a 1 x 3 and a 3 x 1 side by side."""

    def fork() -> tuple[Unit, Unit]:
        return Unit(384, 384, (1, 3), padding=(0, 1)), Unit(384, 384, (3, 1), padding=(1, 0))

    branches = {
        "branch1x1": [Unit(inside, 320, 1)],
        "branch3x3": [Unit(inside, 384, 1)],
        "branch3x3dbl": [Unit(inside, 448, 1), Unit(448, 384, 3, padding=1)],
    }
    return Block(branches, pool, Unit(inside, 192, 1), {"branch3x3": fork(), "branch3x3dbl": fork()})


class Inception(nn.Module):
    """The 2048 features of the last pool, [batch, 2048], of pixels [batch, 3, height, width] in 0..255."""

    def __init__(self) -> None:
        super().__init__()
        for name, inside, outside, kernel, stride, padding in STEM:
            self.add_module(name, Unit(inside, outside, kernel, stride, padding))
        self.blocks = ["Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", *(f"Mixed_6{letter}" for letter in "bcde")]
        self.blocks += ["Mixed_7a", "Mixed_7b", "Mixed_7c"]
        made = [squares(192, 32), squares(256, 64), squares(288, 64), to_17(288), *map(crosses, (128, 160, 160, 192))]
        made += [to_8(768), forks(1280, "average"), forks(2048, "maximum")]
        for name, block in zip(self.blocks, made, strict=True):
            self.add_module(name, block)

    def forward(self, pixels: Tensor) -> Tensor:
        hidden = (pixels - 128) / 128
        for index, (name, *_) in enumerate(STEM):
            hidden = getattr(self, name)(hidden)
            if index in (2, 4):
                hidden = max_pool2d(hidden, 3, stride=2)
        for name in self.blocks:
            hidden = getattr(self, name)(hidden)
        return hidden.mean(dim=(2, 3))


class InceptionDistance:
    """FID between two sets of pictures. Each is brought to 299 x 299 with an anti-aliased bicubic filter, as clean-fid
    does, and not with TensorFlow's bilinear one without: figures compare with those of clean-fid.
    """

    def __init__(self, network: Inception) -> None:
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def features(self, images: Sequence[Any], batch_size: int = 32) -> Tensor:
        """[images, 2048], on the CPU."""
        device = device_of(self.network)
        made: list[Tensor] = []
        for start in range(0, len(images), batch_size):
            pixels = torch.stack([resized(image) for image in images[start : start + batch_size]])
            with full_precision(self.network):
                made.append(self.network(pixels.to(device)).cpu())
        return torch.cat(made)

    def distance(self, images: Sequence[Any], real: Sequence[Any]) -> float:
        return frechet_distance(self.features(images).numpy(), self.features(real).numpy())


def resized(image: Any) -> Tensor:
    """Pixels [3, 299, 299] in 0..255, not rounded."""
    pixels = torch.from_numpy(np.array(to_image(image))).permute(2, 0, 1)[None].float()
    return interpolate(pixels, size=(SIZE, SIZE), mode="bicubic", antialias=True)[0].clamp(0, 255)


def load_inception(file: Path) -> InceptionDistance:
    """On the GPU where there is one. Raises ValueError that names the file for one that is missing or holds another
    network.
    """
    network = Inception()
    load_weights(network, file, ignored=("fc.", "AuxLogits."))
    return InceptionDistance(network.to(fastest()))

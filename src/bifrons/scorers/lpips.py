"""LPIPS with its published networks: AlexNet or VGG-16 features, a learned weight a channel (Zhang et al. 2018).

One safetensors file holds the features by torchvision's names (`features.0.weight`, ...) and the learned weights by the
LPIPS package's (`lin0.model.1.weight`, ...). No torchvision, no pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from bifrons.records.pictures import to_image
from bifrons.scorers.device import device_of, fastest, full_precision
from bifrons.scorers.perceptual import mean_pairwise_distance, pair_distances
from bifrons.scorers.weights import load_weights

MEAN = (-0.030, -0.088, -0.188)  # of the LPIPS paper's code, for pixels in -1..1
DEVIATION = (0.458, 0.448, 0.450)
Kind = Literal["alex", "vgg"]
ALEX = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
VGG = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))
CHANNELS: dict[Kind, tuple[int, ...]] = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def alex_layers() -> tuple[list[nn.Module], list[int]]:
    """Modules in torchvision's order, and the indices of the ReLUs that are looked at."""
    modules: list[nn.Module] = []
    seen: list[int] = []
    for index, (inside, outside, kernel, stride, padding) in enumerate(ALEX):
        if index in (1, 2):
            modules.append(nn.MaxPool2d(3, 2))
        modules += [nn.Conv2d(inside, outside, kernel, stride, padding), nn.ReLU()]
        seen.append(len(modules) - 1)
    return modules, seen


def vgg_layers() -> tuple[list[nn.Module], list[int]]:
    modules: list[nn.Module] = []
    seen: list[int] = []
    for index, widths in enumerate(VGG):
        if index:
            modules.append(nn.MaxPool2d(2, 2))
        for inside, outside in pairwise(widths):
            modules += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
        seen.append(len(modules) - 1)
    return modules, seen


class Lin(nn.Module):
    """The learned weight of each channel, under the package's name."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))


class Lpips(nn.Module):
    """What each looked-at layer sees of pixels [batch, 3, height, width] in -1..1: [batch, places, channels] each."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        modules, self.seen = alex_layers() if kind == "alex" else vgg_layers()
        self.features = nn.Sequential(*modules)
        for index, channels in enumerate(CHANNELS[kind]):
            self.add_module(f"lin{index}", Lin(channels))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        shape = (1, 3, 1, 1)
        mean, deviation = (pixels.new_tensor(each).view(shape) for each in (MEAN, DEVIATION))
        hidden = (pixels - mean) / deviation
        made: list[Tensor] = []
        for index, module in enumerate(self.features):
            hidden = module(hidden)
            if index in self.seen:
                made.append(hidden.flatten(2).transpose(1, 2))
        return made

    @property
    def weights(self) -> list[Tensor]:
        return [
            getattr(self, f"lin{index}").model[1].weight.detach()[0, :, 0, 0].cpu() for index in range(len(self.seen))
        ]


class LpipsScorer:
    def __init__(self, network: Lpips) -> None:
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def layers(self, images: Sequence[Any], batch_size: int = 16) -> list[Tensor]:
        """Features of pictures of one size, on the CPU. Raises ValueError for pictures of several sizes."""
        pictures = [np.array(to_image(image)) for image in images]
        if len({picture.shape for picture in pictures}) > 1:
            raise ValueError("LPIPS compares pictures of one size; these have several")
        device = device_of(self.network)
        made: list[list[Tensor]] = []
        for start in range(0, len(pictures), batch_size):
            batch = torch.from_numpy(np.stack(pictures[start : start + batch_size])).permute(0, 3, 1, 2).float()
            with full_precision(self.network):
                made.append([seen.cpu() for seen in self.network((batch / 127.5 - 1).to(device))])
        return [torch.cat(parts) for parts in zip(*made, strict=True)]

    def distances(self, images: Sequence[Any], others: Sequence[Any]) -> list[float]:
        """LPIPS of each picture with the other of its index."""
        return pair_distances(self.layers(images), self.layers(others), self.network.weights).tolist()

    def diversity(self, images: Sequence[Any]) -> float:
        """The mean LPIPS over all pairs of the pictures."""
        return mean_pairwise_distance(self.layers(images), self.network.weights)


def load_lpips(file: Path) -> LpipsScorer:
    """AlexNet's or VGG's, by what the file holds, on the GPU where there is one.

    Raises ValueError that names the file for what is neither.
    """
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    try:
        with safe_open(file, "pt") as opened:
            first = opened.get_slice("features.0.weight").get_shape()
    except Exception as error:
        raise ValueError(f"{file}: holds no LPIPS network ({str(error).splitlines()[0]})") from None
    network = Lpips("alex" if first[-1] == 11 else "vgg")
    load_weights(network, file, ignored=("classifier.",))
    return LpipsScorer(network.to(fastest()))

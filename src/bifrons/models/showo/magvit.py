"""MAGVIT-v2's image tokenizer: a convolutional encoder, one bit a channel, and a decoder (Yu et al. 2024).

There is no codebook to look up: a code's bits are the signs of the latent's channels, the first channel the highest
bit. Names of the parts are those of Show-o's published weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, scaled_dot_product_attention, silu

GROUPS = 32  # of every group norm
# B images, C channels, H rows and W columns of a feature map


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerConfig:
    """Widths of the levels are `channels` times the multipliers, from pixels to codes; each level but the last halves
    the sides. The defaults are the published tokenizer: 13 bits, codes of 16 pixels a side.
    """

    bits: int = 13
    channels: int = 128
    encoder_multipliers: tuple[int, ...] = (1, 2, 2, 4, 4)
    encoder_blocks: tuple[int, ...] = (4, 3, 4, 3, 4)
    decoder_multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    decoder_blocks: tuple[int, ...] = (4, 4, 3, 4, 3)

    def __post_init__(self) -> None:
        levels = {
            len(self.encoder_multipliers),
            len(self.encoder_blocks),
            len(self.decoder_multipliers),
            len(self.decoder_blocks),
        }
        if len(levels) != 1:
            raise ValueError("encoder and decoder have to list as many multipliers and blocks as each other")
        if self.bits < 1 or self.channels % GROUPS:
            raise ValueError(f"bits is {self.bits}, at least 1; channels is {self.channels}, a multiple of {GROUPS}")

    @property
    def shrink(self) -> int:
        """Pixels a side of one code."""
        return 2 ** (len(self.encoder_multipliers) - 1)

    @property
    def num_codes(self) -> int:
        return 2**self.bits


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


class Residual(nn.Module):
    """Two convolutions around a skip, which is a 1 x 1 convolution where the width changes."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = norm(after), nn.Conv2d(after, after, 3, padding=1)
        self.nin_shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, states_BCHW: Tensor) -> Tensor:
        made = self.conv1(silu(self.norm1(states_BCHW)))
        return self.nin_shortcut(states_BCHW) + self.conv2(silu(self.norm2(made)))


class SelfAttention(nn.Module):
    """One head over all places of the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, states_BCHW: Tensor) -> Tensor:
        normed = self.norm(states_BCHW)
        query, key, value = (part(normed).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).view_as(states_BCHW)
        return states_BCHW + self.proj_out(mixed)


class Middle(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = (
            Residual(channels, channels),
            SelfAttention(channels),
            Residual(channels, channels),
        )

    def forward(self, states_BCHW: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(states_BCHW)))


class Halve(nn.Module):
    """A convolution of stride 2, padded on the right and below alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, states_BCHW: Tensor) -> Tensor:
        return self.conv(pad(states_BCHW, (0, 1, 0, 1)))


class Double(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, states_BCHW: Tensor) -> Tensor:
        return self.conv(interpolate(states_BCHW, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one width, then a change of size where one is given under `name`."""

    def __init__(self, widths: list[int], name: str, resize: nn.Module | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(Residual(a, b) for a, b in pairwise(widths))
        self.resize = name if resize is not None else ""
        if resize is not None:
            self.add_module(name, resize)

    def forward(self, states_BCHW: Tensor) -> Tensor:
        for block in self.block:
            states_BCHW = block(states_BCHW)
        return self.get_submodule(self.resize)(states_BCHW) if self.resize else states_BCHW


class Encoder(nn.Module):
    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width = config.channels
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        levels: list[Level] = []
        last = len(config.encoder_multipliers) - 1
        for index, (multiplier, blocks) in enumerate(
            zip(config.encoder_multipliers, config.encoder_blocks, strict=True)
        ):
            widths = [width, *[config.channels * multiplier] * blocks]
            width = widths[-1]
            levels.append(Level(widths, "downsample", Halve(width) if index < last else None))
        self.down = nn.ModuleList(levels)
        self.mid = Middle(width)
        self.norm_out, self.conv_out = norm(width), nn.Conv2d(width, config.bits, 3, padding=1)
        self.quant_conv = nn.Conv2d(config.bits, config.bits, 1)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        states = self.conv_in(pixels_BCHW)
        for level in self.down:
            states = level(states)
        return self.quant_conv(self.conv_out(silu(self.norm_out(self.mid(states)))))


class Decoder(nn.Module):
    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width = config.channels * config.decoder_multipliers[-1]
        self.post_quant_conv = nn.Conv2d(config.bits, config.bits, 1)
        self.conv_in = nn.Conv2d(config.bits, width, 3, padding=1)
        self.mid = Middle(width)
        levels: list[Level] = []
        for index in reversed(range(len(config.decoder_multipliers))):
            widths = [width, *[config.channels * config.decoder_multipliers[index]] * config.decoder_blocks[index]]
            width = widths[-1]
            levels.insert(0, Level(widths, "upsample", Double(width) if index else None))
        self.up = nn.ModuleList(levels)  # numbered from the pixels on, so walked from the last
        self.norm_out, self.conv_out = norm(width), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, latents_BCHW: Tensor) -> Tensor:
        states = self.mid(self.conv_in(self.post_quant_conv(latents_BCHW)))
        for level in reversed(self.up):
            states = level(states)
        return self.conv_out(silu(self.norm_out(states)))


class ImageTokenizer(nn.Module):
    """Pixels [B, 3, height, width] in -1..1 to codes [B, rows * columns] in raster order, and back."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    @property
    def powers(self) -> Tensor:
        """The worth of each channel's bit, [bits]."""
        return 2 ** torch.arange(self.config.bits - 1, -1, -1)

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        positive = self.encoder(pixels_BCHW) > 0
        return (positive * self.powers.to(positive.device)[:, None, None]).sum(dim=1).flatten(1)

    def latents(self, codes: Tensor) -> Tensor:
        """-1 and +1, [..., bits]."""
        return ((codes[..., None] & self.powers.to(codes.device)) > 0).float() * 2 - 1

    def decode(self, codes_BN: Tensor) -> Tensor:
        """Of square drawings."""
        side = round(codes_BN.shape[1] ** 0.5)
        latents = self.latents(codes_BN).unflatten(1, (side, side)).permute(0, 3, 1, 2)
        return self.decoder(latents.to(self.decoder.conv_in.weight.dtype))

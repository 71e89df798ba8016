"""The stroke network: a small U-Net. Picture (3 channels) and region (1) in, one logit per pixel out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 96)
"""Channels at a half, a quarter, an eighth and a sixteenth of the size."""
UP = (16, 24, 40)
"""Channels on the way back, at a half, a quarter and an eighth."""


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Strokes(nn.Module):  # type: ignore[misc]
    """(N, 16, H / 2, W / 2) float32 to (N, 4, H / 2, W / 2); H and W are multiples of 16.

    Four pixels, two by two, are one place with all their channels (`torch.nn.PixelUnshuffle`), and so are their logits:
    nothing is computed at full size, which costs most and sees least. Channels 0 to 2 of a pixel are RGB less the
    window's mean, divided by its standard deviation plus 16 gray levels; channel 3 is 1 inside of the region.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        half, quarter, eighth = UP
        self.down1 = _layer(16, first)
        self.down2 = nn.Sequential(_layer(first, second, 2), _layer(second, second))
        self.down3 = nn.Sequential(_layer(second, third, 2), _layer(third, third))
        self.down4 = nn.Sequential(_layer(third, fourth, 2), _layer(fourth, fourth))
        self.up3 = _layer(fourth + third, eighth)
        self.up2 = _layer(eighth + second, quarter)
        self.up1 = _layer(quarter + first, half)
        self.head = nn.Conv2d(half + first, 4, 3, 1, 1)

    def forward(self, seen: Tensor) -> Tensor:
        half = self.down1(seen)
        quarter = self.down2(half)
        eighth = self.down3(quarter)
        found = self.up3(_joined(self.down4(eighth), eighth))
        found = self.up2(_joined(found, quarter))
        found = self.up1(_joined(found, half))
        logits: Tensor = self.head(torch.cat((found, half), dim=1))
        return logits


def whole_logits(network: nn.Module, seen: Tensor) -> Tensor:
    """Return a logit per pixel, (N, 1, H, W), of windows as they are, (N, 4, H, W)."""
    quartered = functional.pixel_unshuffle(seen, 2).contiguous(memory_format=torch.channels_last)
    return functional.pixel_shuffle(network(quartered), 2)


def _joined(below: Tensor, beside: Tensor) -> Tensor:
    return torch.cat((functional.interpolate(below, scale_factor=2.0, mode="nearest"), beside), dim=1)


def loss(logits: Tensor, ink: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy and the Tversky loss (Salehi et al., 2017), both dearer for missed ink than for too much.

    Args:
        logits: (N, 1, H, W).
        ink: (N, 1, H, W), 0..1.
        weights: (N, 1, H, W), how much a pixel counts.
    """
    missed_weight = torch.tensor(2.5, device=logits.device)
    entropy = functional.binary_cross_entropy_with_logits(logits, ink, weights, pos_weight=missed_weight)
    found = torch.sigmoid(logits)
    hit, missed, wrong = ((weights * part).sum() for part in (found * ink, (1 - found) * ink, found * (1 - ink)))
    return entropy + 1 - hit / (hit + 0.7 * missed + 0.3 * wrong + 1)

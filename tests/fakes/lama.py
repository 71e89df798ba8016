"""Write a network built as LaMa is, with random weights: `python lama.py FILE [CHANNELS [BLOCKS]]`.

Run it with inpaint-service's Python. 64 channels and 18 blocks are big-LaMa's size, whose time and memory it then
takes; the few of the default are enough to try Fourier convolutions in another precision.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

GLOBAL_SHARE = 0.75


class Spectral(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Convolves the picture's spectrum: every output pixel has seen every input pixel."""

    def __init__(self, inner: int, outer: int):
        super().__init__()
        half = outer // 2
        self.enter = nn.Sequential(nn.Conv2d(inner, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.waves = nn.Sequential(nn.Conv2d(2 * half, 2 * half, 1, bias=False), nn.BatchNorm2d(2 * half), nn.ReLU())
        self.leave = nn.Conv2d(half, outer, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        batch, channels, height, width = x.shape
        spectrum = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        parts = torch.stack((spectrum.real, spectrum.imag), dim=-1).permute(0, 1, 4, 2, 3).contiguous()
        parts = self.waves(parts.view(batch, 2 * channels, height, -1)).view(batch, channels, 2, height, -1)
        parts = parts.permute(0, 1, 3, 4, 2).contiguous()
        waves = torch.complex(parts[..., 0], parts[..., 1])
        return self.leave(x + torch.fft.irfftn(waves, s=(height, width), dim=(-2, -1), norm="ortho"))


class Fourier(nn.Module):  # type: ignore[misc]
    """A Fourier convolution: a local and a global part, each made of both."""

    def __init__(self, channels: int):
        super().__init__()
        far = int(channels * GLOBAL_SHARE)
        near = channels - far
        self.near = near
        self.near_near = nn.Conv2d(near, near, 3, padding=1, padding_mode="reflect", bias=False)
        self.near_far = nn.Conv2d(near, far, 3, padding=1, padding_mode="reflect", bias=False)
        self.far_near = nn.Conv2d(far, near, 3, padding=1, padding_mode="reflect", bias=False)
        self.far_far = Spectral(far, far)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        near, far = x[:, : self.near], x[:, self.near :]
        both = (self.near_near(near) + self.far_near(far), self.near_far(near) + self.far_far(far))
        return torch.relu(self.norm(torch.cat(both, dim=1)))


class Block(nn.Module):  # type: ignore[misc]
    """Two Fourier convolutions beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.steps = nn.Sequential(Fourier(channels), Fourier(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.steps(x)


class Lama(nn.Module):  # type: ignore[misc]
    """Takes picture (1, 3, H, W) in 0..1 and mask (1, 1, H, W) of 0 and 1, returns the picture filled."""

    def __init__(self, channels: int, blocks: int):
        super().__init__()
        sizes = [channels, 2 * channels, 4 * channels, 8 * channels]
        downs = [_scaled(nn.Conv2d, a, b, {}) for a, b in pairwise(sizes)]
        ups = [_scaled(nn.ConvTranspose2d, b, a, {"output_padding": 1}) for a, b in pairwise(sizes)]
        self.net = nn.Sequential(
            nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(4, channels, 7), nn.BatchNorm2d(channels), nn.ReLU()),
            *downs,
            *(Block(sizes[-1]) for _ in range(blocks)),
            *reversed(ups),
            nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7), nn.Sigmoid()),
        )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        painted = self.net(torch.cat((image * (1 - mask), mask), dim=1))
        return mask * painted + (1 - mask) * image


def _scaled(kind: type[nn.Module], inner: int, outer: int, more: dict[str, int]) -> nn.Module:
    return nn.Sequential(kind(inner, outer, 3, stride=2, padding=1, **more), nn.BatchNorm2d(outer), nn.ReLU())


def write(path: Path, channels: int = 8, blocks: int = 2) -> None:
    torch.manual_seed(0)
    model = Lama(channels, blocks).eval()
    example = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    with torch.no_grad():
        torch.jit.trace(model, example).save(str(path))


if __name__ == "__main__":
    write(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:]))

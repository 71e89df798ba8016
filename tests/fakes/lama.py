"""Write the big-LaMa network with random weights as TorchScript: `python lama.py FILE`, with inpaint-service's Python.

It repaints nothing well, and costs what the real one costs: 51 M parameters, three downsamplings, 18 residual blocks of
fast Fourier convolutions, 512 channels of which three quarters are global (Suvorov et al., Resolution-robust Large Mask
Inpainting with Fourier Convolutions, WACV 2022).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

GLOBAL_SHARE = 0.75
WIDTH, DEEPEST, BLOCKS = 64, 512, 18
SEED = 0


class FourierUnit(nn.Module):  # type: ignore[misc]  # torch has no types here
    """A 1x1 convolution on the spectrum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels * 2, channels * 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels * 2)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        spectrum = torch.fft.rfftn(x, dim=(2, 3), norm="ortho")
        parts = torch.stack((spectrum.real, spectrum.imag), dim=2).reshape(batch, channels * 2, height, -1)
        parts = torch.relu(self.norm(self.conv(parts))).reshape(batch, channels, 2, height, -1)
        spectrum = torch.complex(parts[:, :, 0].contiguous(), parts[:, :, 1].contiguous())
        return torch.fft.irfftn(spectrum, s=(height, width), dim=(2, 3), norm="ortho")


class SpectralTransform(nn.Module):  # type: ignore[misc]
    """The global branch: half the channels through the spectrum."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.enter = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.unit = FourierUnit(half)
        self.leave = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return self.leave(x + self.unit(x))


class Ffc(nn.Module):  # type: ignore[misc]
    """A fast Fourier convolution with local and global channels in and out."""

    def __init__(self, channels: int):
        super().__init__()
        wide = int(channels * GLOBAL_SHARE)
        thin = channels - wide
        self.thin = thin
        self.local_local = nn.Conv2d(thin, thin, 3, padding=1, padding_mode="reflect", bias=False)
        self.local_global = nn.Conv2d(thin, wide, 3, padding=1, padding_mode="reflect", bias=False)
        self.global_local = nn.Conv2d(wide, thin, 3, padding=1, padding_mode="reflect", bias=False)
        self.global_global = SpectralTransform(wide)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        near, far = x[:, : self.thin], x[:, self.thin :]
        out_near = self.local_local(near) + self.global_local(far)
        out_far = self.local_global(near) + self.global_global(far)
        return torch.relu(self.norm(torch.cat((out_near, out_far), dim=1)))


class Block(nn.Module):  # type: ignore[misc]
    """Two of them with a bypass."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = Ffc(channels)
        self.second = Ffc(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Lama(nn.Module):  # type: ignore[misc]
    """Picture (1, 3, H, W) in 0..1 and mask (1, 1, H, W) of 0 and 1 in, picture out; sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(4, WIDTH, 7), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        for channels in (WIDTH, WIDTH * 2, WIDTH * 4):
            layers += [nn.Conv2d(channels, channels * 2, 3, 2, 1), nn.BatchNorm2d(channels * 2), nn.ReLU()]
        layers += [Block(DEEPEST) for _ in range(BLOCKS)]
        for channels in (DEEPEST, DEEPEST // 2, DEEPEST // 4):
            layers.append(nn.ConvTranspose2d(channels, channels // 2, 3, 2, 1, 1))
            layers += [nn.BatchNorm2d(channels // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(WIDTH, 3, 7), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        painted = self.layers(torch.cat((image * (1 - mask), mask), dim=1))
        return mask * painted + (1 - mask) * image


def write(path: Path) -> None:
    torch.manual_seed(SEED)
    torch.jit.script(Lama().eval()).save(str(path))


if __name__ == "__main__":
    write(Path(sys.argv[1]))

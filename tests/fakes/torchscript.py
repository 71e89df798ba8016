"""Write a tiny TorchScript model with LaMa's signature: `python torchscript.py FILE`, with inpaint-service's Python.

It fills the mask with the mean color of the unmasked pixels: enough to test loading, padding, colors and rounding.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch


class MeanFill(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
    """Takes picture (1, 3, H, W) in 0..1 and mask (1, 1, H, W) of 0 and 1, returns the picture filled."""

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        unmasked = 1 - mask
        total = (image * unmasked).sum(dim=(2, 3), keepdim=True)
        mean = total / unmasked.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
        return image * unmasked + mean * mask


def write(path: Path) -> None:
    torch.jit.script(MeanFill()).save(str(path))


if __name__ == "__main__":
    write(Path(sys.argv[1]))

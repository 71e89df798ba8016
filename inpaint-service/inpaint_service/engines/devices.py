"""The devices that torch works on: which is meant, whether its memory sufficed, what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cleanplate.contract.problems import EngineUnusable
from inpaint_service.engines import Device, OutOfMemory

MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
NOT_ON_MPS = ("lama", "ldm", "zits", "mat", "fcf", "cv2", "manga")  # IOPaint's list


def resolve_device(device: Device, name: str = "") -> str:
    """Return the device that is meant.

    Raises:
        EngineUnusable: the one asked for is not there.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available() and name not in NOT_ON_MPS,
        "cpu": True,
    }
    if device == "auto":
        return "cpu" if name == "cv2" else next(kind for kind, there in present.items() if there)
    if not present[device]:
        raise EngineUnusable(f"device {device} is not available to {name or 'torch'} here")
    return device


@contextmanager
def memory_watched(what: str, device: str) -> Iterator[None]:
    """Turn every way in which torch and Python say that memory did not suffice into OutOfMemory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in MEMORY_WORDS):
            raise
        empty_cache(device)
        raise OutOfMemory(f"{what} on {device}") from error


def empty_cache(device: str) -> None:
    """Give back what torch keeps of the device's memory for the next call."""
    if device == "cuda":
        torch.cuda.empty_cache()
    if device == "mps":
        torch.mps.empty_cache()

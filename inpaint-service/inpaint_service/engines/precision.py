"""Calculating in bfloat16 where the device can: torch's autocast, made fit for Fourier convolutions and traced files.

Autocast leaves two gaps. A traced file calls `_convolution`, which the processor's autocast does not know, and so runs
in full precision unnoticed. Fourier transforms and complex numbers do not exist in bfloat16: the processor's autocast
keeps the former in float32 but not the latter, CUDA's neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from inpaint_service.engines import Precision, PrecisionUnsupported
from inpaint_service.engines.processor import has_bf16

FOURIER = ("fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")


def check_precision(precision: Precision, device: str) -> None:
    """Raise PrecisionUnsupported where the device cannot calculate so."""
    if precision == "fp32":
        return
    if not (has_bf16() if device == "cpu" else device == "cuda" and _cuda_has_bf16()):
        needs = "AVX512-BF16, AMX or Arm BF16" if device == "cpu" else "an NVIDIA GPU from Ampere on"
        raise PrecisionUnsupported(f"bf16 needs {needs}; {device} here is none such: set INPAINT_PRECISION=fp32")


@contextmanager
def arithmetic(precision: Precision, device: str) -> Iterator[None]:
    """Calculate in this precision. The caller has checked that the device can."""
    if precision == "fp32":
        yield
        return
    _fill_gaps()
    with torch.autocast(device, torch.bfloat16):
        yield


@cache
def _fill_gaps() -> torch.library.Library:
    """Tell torch's autocast, once and for the whole process, what it does not know; without autocast it has no bearing.

    Returns:
        What holds the additions; they last as long as it.
    """
    ops, library = torch.ops.aten, torch.library.Library("aten", "IMPL")
    library.impl("_convolution", _cast(ops._convolution.default, "cpu", torch.float32, torch.bfloat16), "AutocastCPU")
    for device, key in (("cpu", "AutocastCPU"), ("cuda", "AutocastCUDA")):
        library.impl("complex", _cast(ops.complex.default, device, torch.bfloat16, torch.float32), key)
    for name in FOURIER:
        full = _cast(getattr(ops, f"fft_{name}").default, "cuda", torch.bfloat16, torch.float32)
        library.impl(f"fft_{name}", full, "AutocastCUDA")
    return library


def _cast(op: Callable[..., Any], device: str, given: torch.dtype, wanted: torch.dtype) -> Callable[..., Any]:
    """Return the operation with its tensors of one type turned into the other."""

    def call(*args: Any, **named: Any) -> Any:
        cast = (arg.to(wanted) if isinstance(arg, torch.Tensor) and arg.dtype == given else arg for arg in args)
        with torch.autocast(device, enabled=False):
            return op(*cast, **named)

    return call


def _cuda_has_bf16() -> bool:
    supported: bool = torch.cuda.is_bf16_supported(including_emulation=False)
    return supported

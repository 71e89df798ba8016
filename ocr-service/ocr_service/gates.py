"""What must hold before an engine is loaded: enough free memory on the GPU that it would take."""

from __future__ import annotations

from collections.abc import Callable

from cleanplate.contract.problems import EngineUnavailable
from ocr_service.engines import EngineOptions
from ocr_service.machine import Memory, gpu_memory

RETRY_S = 30.0


def check_gpu(
    engine: str, options: EngineOptions, least_gb: float, ask: Callable[[], Memory | None] = gpu_memory
) -> None:
    """Refuse an engine that runs on the GPU while that has less free memory than `least_gb`; 0: nobody asks. Blocking.

    Raises:
        EngineUnavailable: for now; without a GPU nothing is refused.
    """
    takes = {"deepseek": options.deepseek.backend == "hf", "paddle": options.paddle_runtime == "paddle_static"}
    if not least_gb or not takes.get(engine, False):
        return
    found = ask()
    if found is not None and found.free_gb < least_gb:
        detail = f"{engine} cannot be loaded now: the GPU has {found.free_gb:g} GB free, wanted are {least_gb:g}"
        raise EngineUnavailable(detail, retry_after_s=RETRY_S)

"""What the processor can do, as Linux tells. Pure but for reading."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def has_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Say whether it multiplies bfloat16 in hardware: AVX512-BF16, AMX or Arm's BF16. False where nobody tells."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    told = (line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features")))
    return any(BF16_FLAGS & set(flags) for flags in told)

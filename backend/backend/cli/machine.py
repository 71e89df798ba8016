"""The machine: memory, disk, GPUs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

GPU_TIMEOUT_S = 10.0


def free_disk_bytes(folder: Path) -> int:
    """Return what may still be written to the folder, or where it would be made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def free_memory_bytes() -> int | None:
    """Return the memory that is available without swapping, the container's limit regarded; None if unknown."""
    meminfo = _read(Path("/proc/meminfo"))
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    limit, used = _read(Path("/sys/fs/cgroup/memory.max")), _read(Path("/sys/fs/cgroup/memory.current"))
    free = [int(found[1]) * 1024] if found else []
    if limit.isdigit() and used.isdigit():
        free.append(int(limit) - int(used))
    return min(free) if free else None


def gpus() -> list[str]:
    """Return the NVIDIA GPUs in words."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=GPU_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return [f"{device} (nvidia-smi does not answer)" for device in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    return [line.strip() for line in said.splitlines() if line.strip()]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

"""How much room there is: memory of the machine or of the container that this process may fill, of a GPU, of a disk."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

_GB = 1024**3
_MEMINFO, _CGROUP = Path("proc/meminfo"), Path("sys/fs/cgroup")
_GROUPS = (  # limit, use, and what of that are files: version 2, version 1
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


@dataclass(frozen=True)
class Memory:
    """In bytes."""

    free: int
    total: int

    @property
    def free_gb(self) -> float:
        return round(self.free / _GB, 3)

    @property
    def total_gb(self) -> float:
        return round(self.total / _GB, 3)


def system_memory(root: Path = Path("/")) -> Memory | None:
    """Return what can still be used and all that there is, the least of machine and container; None: nobody says."""
    groups = [_container(root / _CGROUP, *names) for names in _GROUPS]
    found = [memory for memory in (_machine(root / _MEMINFO), *groups) if memory is not None]
    if not found:
        return None
    return Memory(min(memory.free for memory in found), min(memory.total for memory in found))


def disk_room(folder: Path) -> Memory:
    """Return the same of the disk that has the folder."""
    told = shutil.disk_usage(folder)
    return Memory(told.free, told.total)


def gpu_memory() -> Memory | None:
    """Return the memory of the first NVIDIA GPU; None where there is none. Blocking: asks the driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return None
    try:
        told = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0))
        return Memory(int(told.free), int(told.total))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _machine(meminfo: Path) -> Memory | None:
    try:
        told = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+): +(\d+) kB$", meminfo.read_text(), re.M)}
        return Memory(told["MemAvailable"], told["MemTotal"])
    except (OSError, KeyError):  # no Linux
        return None


def _container(cgroup: Path, most: str, current: str, stat: str, kept: str) -> Memory | None:
    """Return the same of a cgroup; what the kernel keeps of files can be had back, so it counts as free."""
    try:
        limit = int((cgroup / most).read_text())
        used = int((cgroup / current).read_text())
        files = re.search(rf"^{kept} (\d+)$", (cgroup / stat).read_text(), re.M)
    except (OSError, ValueError):  # the other version, or `max`: no limit
        return None
    return Memory(max(0, limit - used + (int(files[1]) if files else 0)), limit)

"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cores(root: Path = Path("/")) -> int:
    """Return how many there are, by this process's affinity and its container's quota; of a part of one, a whole."""
    affinity = getattr(os, "sched_getaffinity", None)  # not every system has it
    own = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    group = root / "sys/fs/cgroup"
    quotas = _quota(group / "cpu.max"), _quota(group / "cpu/cpu.cfs_quota_us", group / "cpu/cpu.cfs_period_us")
    return min(own, *(quota or own for quota in quotas))


def _quota(*files: Path) -> int:
    """Return the quota that one version of control groups tells in these files, in cores; 0: none."""
    try:
        share, period = (int(word) for file in files for word in file.read_text().split())
    except (OSError, ValueError):  # the other version, or `max`
        return 0
    return max(0, math.ceil(share / period))

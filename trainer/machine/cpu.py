"""The processor: how many cores this process may really use, what they can do, and how much memory there is.

In a container the machine's own numbers say little: its cgroup may give it two cores of 64, and a tenth of the memory.
Sources: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, and Documentation/scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_NEEDED = frozenset({"avx", "avx2"})
_NO_LIMIT_BYTES = 1 << 62
"""v1 writes the largest number of pages that it can count where there is no limit."""


def count_cores(root: Path = _ROOT) -> int:
    """Cores that this process may use, by its affinity and by its cgroups' quotas, a begun one counted; at least 1.

    Args:
        root: what proc/ and sys/ lie below.
    """
    allowed = len(os.sched_getaffinity(0))
    quotas = [quota for place in _list_groups(root, "cpu") if (quota := _read_quota(place)) is not None]
    return max(1, min(allowed, *(math.ceil(quota) for quota in quotas)) if quotas else allowed)


def count_memory(root: Path = _ROOT) -> int:
    """Bytes of memory that this process may use, by the machine and by its cgroups; 0 where nothing says.

    Args:
        root: what proc/ and sys/ lie below.
    """
    total = re.search(r"^MemTotal:\s*(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    limits = [int(total[1]) << 10] if total else []
    for place in _list_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            said = _read(place / name).strip()
            if said.isdecimal() and 0 < int(said) < _NO_LIMIT_BYTES:
                limits.append(int(said))
    return min(limits, default=0)


def has_avx(root: Path = _ROOT) -> bool:
    """Whether the processor runs what AVX=1 has darknet's compiler emit: AVX and AVX2.

    Args:
        root: what proc/ lies below.
    """
    flags = re.search(r"^flags\s*:(.*)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return flags is not None and set(flags[1].split()) >= _NEEDED


def _list_groups(root: Path, controller: str) -> list[Path]:
    """The folders of the cgroups that hold this process, as far as they are mounted: v2's, and v1's for a controller.

    In a container the path may be the host's, of which nothing is mounted: what is shown as the root is then our own.
    """
    mounted = root / "sys/fs/cgroup"
    folders = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        top = mounted / controller if controllers else mounted
        relative = PurePosixPath(path.lstrip("/"))
        parts = () if ".." in relative.parts else (relative, *relative.parents)
        folders += [top / part for part in parts] or [top]
    return folders or [mounted, mounted / controller]


def _read_quota(place: Path) -> float | None:
    """How many cores' time a cgroup may use; None where it has no limit."""
    quota, _, period = _read(place / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _read(place / "cpu.cfs_quota_us").strip()
        period = _read(place / "cpu.cfs_period_us").strip()
    limited = quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0
    return int(quota) / int(period) if limited else None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""

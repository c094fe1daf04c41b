"""Cores and memory as the kernel grants them, not as the machine has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainer.machine.cpu import count_cores, count_memory, has_avx

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = len(os.sched_getaffinity(0))
GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


V2 = {"proc/self/cgroup": "0::/pod/box\n"}
V1 = {"proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n1:name=systemd:/\n"}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        pytest.param({}, ALLOWED, id="nothing said"),
        pytest.param({**V2, "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n"}, ALLOWED, id="no limit"),
        pytest.param({**V2, "sys/fs/cgroup/pod/box/cpu.max": "100000 100000\n"}, 1, id="one core"),
        pytest.param({**V2, "sys/fs/cgroup/pod/box/cpu.max": "20000 100000\n"}, 1, id="a fifth of one"),
        pytest.param({**V2, "sys/fs/cgroup/pod/cpu.max": "50000 100000\n"}, 1, id="the group around"),
        pytest.param(
            {**V2, "sys/fs/cgroup/pod/box/cpu.max": "9999900000 100000\n"}, ALLOWED, id="more than there is"
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
            1,
            id="a path that leads out of the container",
        ),
        pytest.param({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1, id="its own group is not told"),
        pytest.param(
            {
                **V1,
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            1,
            id="v1",
        ),
        pytest.param(
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            ALLOWED,
            id="v1 without a limit",
        ),
        pytest.param({**V2, "sys/fs/cgroup/pod/box/cpu.max": "x y\n"}, ALLOWED, id="nonsense"),
    ],
)
def test_cores(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    assert count_cores(write(tmp_path, files)) == cores


def test_an_affinity(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert count_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)


MEMINFO = {"proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n"}


@pytest.mark.parametrize(
    ("files", "memory_bytes"),
    [
        pytest.param({}, 0, id="nothing said"),
        pytest.param(MEMINFO, 16 * GIB, id="the machine's"),
        pytest.param({**MEMINFO, **V2, "sys/fs/cgroup/pod/box/memory.max": "max\n"}, 16 * GIB, id="no limit"),
        pytest.param(
            {**MEMINFO, **V2, "sys/fs/cgroup/pod/memory.max": f"{2 * GIB}\n"}, 2 * GIB, id="the group around"
        ),
        pytest.param(
            {**MEMINFO, **V1, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": f"{GIB}\n"},
            GIB,
            id="v1",
        ),
        pytest.param(
            {**MEMINFO, **V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
            16 * GIB,
            id="v1 without a limit",
        ),
    ],
)
def test_memory(tmp_path: Path, files: dict[str, str], memory_bytes: int) -> None:
    assert count_memory(write(tmp_path, files)) == memory_bytes


@pytest.mark.parametrize(
    ("flags", "able"),
    [("fpu sse2 avx f16c avx2 fma", True), ("fpu sse2 avx", False), ("fpu sse2 avx512", False), ("", False)],
)
def test_avx(tmp_path: Path, flags: str, *, able: bool) -> None:
    text = f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n"
    assert has_avx(write(tmp_path, {"proc/cpuinfo": text})) is able


def test_this_machine() -> None:
    assert 1 <= count_cores() <= ALLOWED
    assert count_memory() > 1 << 28

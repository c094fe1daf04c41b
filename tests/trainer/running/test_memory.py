"""A kill for want of memory is told from any other, by what the kernel counts and logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from trainer.running.memory import OomWatch

PID = 4711
LOGGED = (
    "6,12,99;darknet invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
    " SUBSYSTEM=memory\n"
    "3,13,99;Memory cgroup out of memory: Killed process {pid} (darknet) total-vm:16062576kB, "
    "anon-rss:12402344kB, file-rss:6068kB, shmem-rss:0kB, UID:0 pgtables:132kB oom_score_adj:0\n"
)
IN_LOG = "the kernel logged that it killed it for want of memory"
IN_GROUP = "the kernel killed it for want of memory"
ON_MACHINE = (
    "the kernel killed some process of this machine for want of memory meanwhile, most likely this one"
)


@dataclass
class Kernel:
    """What a kernel tells, as files."""

    root: Path

    def write(self, path: str, content: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def count_on_machine(self, kills: int) -> None:
        self.write("proc/vmstat", f"nr_free_pages 1021000\noom_kill {kills}\npgfault 12\n")

    def count_v2(self, group: str, *, kills: int, oom: int = 0, limit: str = "max") -> None:
        events = f"low 0\nhigh 0\nmax 9\noom {oom}\noom_kill {kills}\noom_group_kill 0\n"
        self.write(f"cgroup/{group}/memory.events", events)
        self.write(f"cgroup/{group}/memory.max", f"{limit}\n")

    def count_v1(self, group: str, *, kills: int, failures: int = 0, limit: int = 0x7FFFFFFFFFFFF000) -> None:
        place = f"cgroup/memory/{group}"
        self.write(f"{place}/memory.oom_control", f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")
        self.write(f"{place}/memory.failcnt", f"{failures}\n")
        self.write(f"{place}/memory.limit_in_bytes", f"{limit}\n")

    def log(self, text: str) -> None:
        with (self.root / "kmsg").open("a") as log:
            log.write(text)

    def watch(self) -> OomWatch:
        return OomWatch(proc=self.root / "proc", cgroups=self.root / "cgroup", kernel_log=self.root / "kmsg")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """One of a container: its log is of no use, and its own cgroup is all there is."""
    kernel = Kernel(tmp_path)
    kernel.write("proc/self/cgroup", "0::/\n")
    kernel.count_on_machine(3)
    return kernel


@pytest.fixture
def outermost(kernel: Kernel) -> Kernel:
    """A kernel whose log speaks of processes by the numbers that they have here."""
    (kernel.root / "proc/self/ns").mkdir()
    (kernel.root / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    kernel.log(LOGGED.format(pid=PID))
    return kernel


def test_nothing_happened(kernel: Kernel) -> None:
    kernel.count_v2("", kills=1)
    with kernel.watch() as watch:
        assert watch.evidence(PID) == ""


def test_a_container_on_v2_at_its_limit(kernel: Kernel) -> None:
    kernel.count_v2("", kills=1, limit="12700000000")
    with kernel.watch() as watch:
        kernel.count_v2("", kills=2, oom=1, limit="12700000000")
        assert watch.evidence(PID) == f"{IN_GROUP}, at its cgroup's limit of 12.7 GB"


@pytest.mark.parametrize("version", [1, 2])
def test_killed_for_want_of_the_machines_memory_not_the_groups(kernel: Kernel, version: int) -> None:
    if version == 2:
        kernel.count_v2("", kills=0, oom=4, limit="12700000000")
    else:
        kernel.count_v1("", kills=0, failures=4, limit=12_700_000_000)
    with kernel.watch() as watch:
        if version == 2:
            kernel.count_v2("", kills=1, oom=4, limit="12700000000")
        else:
            kernel.count_v1("", kills=1, failures=4, limit=12_700_000_000)
        assert watch.evidence(PID) == IN_GROUP


def test_the_limit_that_was_hit_is_that_of_a_group_around(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "0::/user/session\n")
    kernel.count_v2("user/session", kills=0, limit="90000000000")
    kernel.count_v2("user", kills=5, oom=5, limit="8000000000")
    with kernel.watch() as watch:
        kernel.count_v2("user/session", kills=1, limit="90000000000")
        kernel.count_v2("user", kills=6, oom=6, limit="8000000000")
        assert watch.evidence(PID) == f"{IN_GROUP}, at its cgroup's limit of 8.0 GB"


def test_a_group_that_does_not_count_is_counted_by_the_one_around(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "0::/user/session\n")
    (kernel.root / "cgroup/user/session").mkdir(parents=True)
    kernel.count_v2("user", kills=5)
    with kernel.watch() as watch:
        kernel.count_v2("user", kills=6)
        assert watch.evidence(PID) == IN_GROUP


def test_what_was_killed_was_none_of_this_group(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "0::/user/session\n")
    kernel.count_v2("user/session", kills=0)
    kernel.count_v2("user", kills=5)
    with kernel.watch() as watch:
        kernel.count_v2("user", kills=6)
        kernel.count_on_machine(4)
        assert watch.evidence(PID) == ""


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param("4:memory:/docker/ab\n1:cpu,cpuacct:/docker/ab\n0::/\n", id="as mounted"),
        pytest.param("4:memory:/of/the/host\n0::/of/the/host\n", id="the host's path, not mounted here"),
        pytest.param("4:memory:/../../out\n0::/../../out\n", id="a path that leads out"),
    ],
)
def test_v1(kernel: Kernel, groups: str) -> None:
    kernel.write("proc/self/cgroup", groups)
    place = "docker/ab" if "docker" in groups else ""
    kernel.count_v1(place, kills=0, failures=1, limit=12_700_000_000)
    with kernel.watch() as watch:
        kernel.count_v1(place, kills=1, failures=9, limit=12_700_000_000)
        assert watch.evidence(PID) == f"{IN_GROUP}, at its cgroup's limit of 12.7 GB"


def test_v1_without_a_limit(kernel: Kernel) -> None:
    kernel.count_v1("", kills=0)
    with kernel.watch() as watch:
        kernel.count_v1("", kills=1, failures=1)
        assert watch.evidence(PID) == IN_GROUP


@pytest.mark.parametrize(
    "groups", [pytest.param("0::/\n", id="groups that do not count"), pytest.param("torn\n", id="no groups")]
)
def test_the_machines_counter_is_weak_evidence_where_there_is_no_other(kernel: Kernel, groups: str) -> None:
    kernel.write("proc/self/cgroup", groups)
    with kernel.watch() as watch:
        assert watch.evidence(PID) == ""
        kernel.count_on_machine(4)
        assert watch.evidence(PID) == ON_MACHINE


def test_the_log_names_it(outermost: Kernel) -> None:
    with outermost.watch() as watch:
        outermost.log(LOGGED.format(pid=1234) + LOGGED.format(pid=PID))
        assert watch.evidence(PID) == f"{IN_LOG}, when it held 12.7 GB"


def test_an_older_kernels_words(outermost: Kernel) -> None:
    with outermost.watch() as watch:
        outermost.log(f"3,14,99;Out of memory: Kill process {PID} (darknet) score 907 or sacrifice child\n")
        assert watch.evidence(PID) == IN_LOG


@pytest.mark.parametrize("pid", [PID + 1, PID // 10, PID * 10])
def test_the_log_names_others_and_what_was_before(outermost: Kernel, pid: int) -> None:
    with outermost.watch() as watch:
        outermost.log(LOGGED.format(pid=pid))
        assert watch.evidence(PID) == ""


def test_in_a_container_the_logs_numbers_are_of_other_processes(kernel: Kernel) -> None:
    (kernel.root / "proc/self/ns").mkdir()
    (kernel.root / "proc/self/ns/pid").symlink_to("pid:[4026532201]")
    kernel.log("")
    with kernel.watch() as watch:
        kernel.log(LOGGED.format(pid=PID))
        assert watch.evidence(PID) == ""


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    with Kernel(tmp_path).watch() as watch:
        assert watch.evidence(PID) == ""


def test_one_watch_serves_one_attempt_after_the_other(outermost: Kernel) -> None:
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    watch = outermost.watch()
    for _ in range(3):
        with watch:
            assert watch.evidence(PID) == ""
            outermost.log(LOGGED.format(pid=PID))
            assert watch.evidence(PID) != ""
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


_HOG = """
import json, os, pathlib, subprocess, sys
from trainer.running.memory import OomWatch

(pathlib.Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
hog = [sys.executable, "-c", "bytearray(1 << 30)"]
said = []
for nowhere in ({}, {"kernel_log": pathlib.Path("/nowhere")}):
    with OomWatch(**nowhere) as watch:
        child = subprocess.Popen(hog)
        said.append([child.wait(), watch.evidence(child.pid)])
with OomWatch() as watch:
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    said.append([child.wait(), watch.evidence(child.pid)])
print(json.dumps(said))
"""


def test_a_real_kernel_kills_a_real_process() -> None:
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    own = next((path for _, controllers, path in groups if "memory" in controllers.split(",")), None)
    if own is None:
        pytest.skip("no cgroup of the first version counts memory here")
    place = Path(f"/sys/fs/cgroup/memory{own}/test-{os.getpid()}")
    try:
        place.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error.strerror}")
    try:
        (place / "memory.limit_in_bytes").write_text(str(40 << 20))
        done = subprocess.run([sys.executable, "-c", _HOG, place], check=True, capture_output=True, text=True)
    finally:
        place.rmdir()
    (in_log, logged), (in_group, counted), (by_hand, nothing) = json.loads(done.stdout)
    assert in_log == in_group == by_hand == -9
    assert logged.startswith((IN_LOG, IN_GROUP))
    assert counted == f"{IN_GROUP}, at its cgroup's limit of 41.9 MB"
    assert nothing == ""

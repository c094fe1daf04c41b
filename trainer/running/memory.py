"""Whether the kernel killed a process because memory ran out: what it counts, and what it logs.

A process that is killed for want of memory gets a SIGKILL like any other, and nobody tells its parent. What there is,
the strongest first (sources: the kernel's mm/oom_kill.c and Documentation/admin-guide/cgroup-v{1,2}):

    /dev/kmsg                        names the process, if it may be read; by its number in the first PID namespace,
                                     so in a container nothing there is ours. dmesg asks for the same permission
    memory.events, oom_kill          of the process's own cgroup (v2), whosever limit was hit, or the machine's
    memory.oom_control, oom_kill     the same (v1)
    /proc/vmstat, oom_kill           of the whole machine, where other processes may be what was killed

All are counters or logs that stay, so they are read before and after, and cost nothing in between.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

if TYPE_CHECKING:
    from types import TracebackType

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_KERNEL_LOG = Path("/dev/kmsg")

_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
_NO_LIMIT_BYTES = 1 << 62
"""v1 writes the largest number of pages that it can count where there is no limit."""

_RECORD_BYTES = 8192
"""A read of the kernel's log gives one record, and fails where that does not fit."""
_RECORDS_MAX = 100_000

_KILLED = re.compile(r"Kill(?:ed)? process (?P<pid>[0-9]+)\b(?:.*anon-rss:(?P<held_kib>[0-9]{1,15})kB)?")


@dataclass(frozen=True, slots=True)
class _Group:
    """A cgroup's memory counters.

    Attributes:
        place: its folder.
        kills: processes in it, or below it, that were killed for want of memory.
        limits_hit: how often it was at its limit; v1 counts also what room was found for in the end.
        limit_bytes: None where it has none.
    """

    place: Path
    kills: int
    limits_hit: int
    limit_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Counters:
    """``groups`` is this process's own cgroup and those around it, as far as they count; ``kills`` the machine's."""

    groups: tuple[_Group, ...]
    kills: int | None


class OomWatch:
    """Looks at the kernel's counters when the ``with`` block begins, for :meth:`evidence` to compare with.

    The process that is asked about is a descendant of this one, and so in its cgroup. Nothing here raises.

    Args:
        proc: where the kernel tells of processes.
        cgroups: where cgroups are mounted: v2, or v1 with a folder for each controller.
        kernel_log: /dev/kmsg.
    """

    def __init__(
        self, *, proc: Path = _PROC, cgroups: Path = _CGROUPS, kernel_log: Path = _KERNEL_LOG
    ) -> None:
        self._proc = proc
        self._cgroups = cgroups
        self._kernel_log = kernel_log
        self._log = -1
        self._before = _Counters((), None)

    def __enter__(self) -> OomWatch:
        self._before = self._count()
        with suppress(OSError):
            if (self._proc / "self/ns/pid").readlink() == Path(_FIRST_PID_NAMESPACE):
                self._log = os.open(self._kernel_log, os.O_RDONLY | os.O_NONBLOCK)
                os.lseek(self._log, 0, os.SEEK_END)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def evidence(self, pid: int) -> str:
        """Why process ``pid``, which a SIGKILL has ended since, was killed by the kernel for want of memory.

        To be asked within the block, and once: what has been read of the log is not read again.

        Returns:
            A clause for people; empty where nothing points to that.
        """
        if (held_bytes := self._find_in_log(pid)) is not None:
            held = f", when it held {format_size(held_bytes)}" if held_bytes else ""
            return f"the kernel logged that it killed it for want of memory{held}"
        before, now = self._before, self._count()
        if before.groups and now.groups and before.groups[0].place == now.groups[0].place:
            # The counter is there, so if it stands still whatever else was killed was none of this cgroup.
            killed = now.groups[0].kills > before.groups[0].kills
            return f"the kernel killed it for want of memory{_name_limit(before, now)}" if killed else ""
        if before.kills is not None and now.kills is not None and now.kills > before.kills:
            return "the kernel killed some process of this machine for want of memory meanwhile, most likely this one"
        return ""

    def _count(self) -> _Counters:
        kills = _read_counters(self._proc / "vmstat").get("oom_kill")
        try:
            said = (self._proc / "self/cgroup").read_text(errors="replace")
        except OSError:
            return _Counters((), kills)
        paths = {
            controllers: path
            for _, controllers, path in (
                line.split(":", 2) for line in said.splitlines() if line.count(":") > 1
            )
        }
        groups = [_read_v2(place) for place in _list_places(self._cgroups, paths.get("", "/"))]
        if not any(groups):
            memory = next((path for key, path in paths.items() if "memory" in key.split(",")), "/")
            groups = [_read_v1(place) for place in _list_places(self._cgroups / "memory", memory)]
        return _Counters(tuple(group for group in groups if group), kills)

    def _find_in_log(self, pid: int) -> int | None:
        """The bytes that the process held when the log says it was killed, 0 if not told; None if it does not."""
        if self._log < 0:
            return None
        for _ in range(_RECORDS_MAX):
            try:
                records = os.read(self._log, _RECORD_BYTES)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue  # records were overwritten before they were read; the next read goes on behind them
                return None
            if not records:
                return None
            for match in _KILLED.finditer(records.decode("utf-8", "replace")):
                if int(match["pid"]) == pid:
                    return int(match["held_kib"] or 0) << 10
        return None


def _name_limit(before: _Counters, now: _Counters) -> str:
    """The innermost limit that was hit; empty where none was, and the machine's memory ran out."""
    hit_before = {group.place: group.limits_hit for group in before.groups}
    for group in now.groups:
        if group.limit_bytes and group.limits_hit > hit_before.get(group.place, group.limits_hit):
            return f", at its cgroup's limit of {format_size(group.limit_bytes)}"
    return ""


def _list_places(root: Path, path: str) -> list[Path]:
    """A cgroup's folder and those around it, innermost first.

    In a container ``path`` may be the host's, of which nothing is mounted, or lead out of what is: then the container's
    own cgroup is what ``root`` shows.
    """
    relative = PurePosixPath(path.lstrip("/"))
    if ".." in relative.parts:
        return [root]
    return [root / part for part in (relative, *relative.parents)]


def _read_v2(place: Path) -> _Group | None:
    events = _read_counters(place / "memory.events")
    if "oom_kill" not in events:
        return None
    return _Group(place, events["oom_kill"], events.get("oom", 0), _read_number(place / "memory.max"))


def _read_v1(place: Path) -> _Group | None:
    control = _read_counters(place / "memory.oom_control")
    if "oom_kill" not in control:
        return None
    limit_bytes = _read_number(place / "memory.limit_in_bytes")
    limited = limit_bytes is not None and limit_bytes < _NO_LIMIT_BYTES
    return _Group(
        place,
        control["oom_kill"],
        _read_number(place / "memory.failcnt") or 0,
        limit_bytes if limited else None,
    )


def _read_counters(path: Path) -> dict[str, int]:
    """Lines of a name and a number; empty if there is no such file."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _read_number(path: Path) -> int | None:
    """A file's one number; None if it holds none ("max", say)."""
    try:
        said = path.read_text(errors="replace").strip()
    except OSError:
        return None
    return int(said) if said.isdecimal() else None

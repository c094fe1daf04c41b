"""A session's name for itself in a lease: random, and telling those on the same machine which process it is.

    BOOT.NAMESPACE.PID.START.RANDOM     where /proc tells all of it, else RANDOM alone; at most 110 bytes

BOOT is this boot of the kernel (32 hex digits), NAMESPACE the one that gives the process its PID there (the number in
/proc/PID/ns/pid, of which no two that exist share one), START when it began, in clock ticks since boot. So whoever is
in the same namespace, and in no other, can tell for sure whether the process is there: one of this number that began
at this time. A copy of a running virtual machine passes for the machine: what a session there takes for
dead has lost its lease to it as to any take-over.
"""

from __future__ import annotations

import os
import re
import secrets
from enum import Enum
from pathlib import Path

_RANDOM_BYTES = 16
_NAME = re.compile(
    r"(?P<here>[0-9a-f]{32}\.[0-9]+)\.(?P<pid>[1-9][0-9]{0,8})\.(?P<start>[0-9]{1,20})\.[0-9a-f]{32}"
)
_PROC = Path("/proc")


class Fate(Enum):
    """What is known of a holder's process, beyond doubt."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


def make_holder(proc: Path = _PROC) -> str:
    """A name for a session of this process that no other has."""
    chosen = secrets.token_hex(_RANDOM_BYTES)
    here, life = _read_here(proc), read_life(os.getpid(), proc)
    if not here or life is None:
        return chosen
    _, start_ticks = life
    return f"{here}.{os.getpid()}.{start_ticks}.{chosen}"


def tell_fate(holder: str, proc: Path = _PROC) -> Fate:
    """What has become of the process that ``holder`` names; of other machines' nothing is known."""
    name = _NAME.fullmatch(holder)
    if name is None or name["here"] != _read_here(proc):
        return Fate.UNKNOWN
    pid = int(name["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Fate.GONE
    except OSError:
        # It is another user's.
        pass
    life = read_life(pid, proc)
    if life is None:
        # Other users' processes may be hidden (hidepid, proc(5)).
        return Fate.UNKNOWN
    state, start_ticks = life
    return Fate.GONE if state in "ZX" or start_ticks != int(name["start"]) else Fate.ALIVE


def _read_here(proc: Path) -> str:
    """This boot and this namespace; empty where that is not told."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")
        namespace = re.sub(r"[^0-9]", "", str((proc / "self/ns/pid").readlink()))
    except OSError:
        return ""
    here = f"{boot}.{namespace}"
    return here if re.fullmatch(r"[0-9a-f]{32}\.[0-9]{1,20}", here) else ""


def read_life(pid: int, proc: Path = _PROC) -> tuple[str, int] | None:
    """The state of a process, as a letter, and when it began, in clock ticks since boot; None where that is not told.

    Fields 3 and 22 of /proc/PID/stat; the second field, the program's name, may itself hold spaces and brackets
    (proc(5)).
    """
    try:
        fields_from_third = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(") ")[2].split()
        return fields_from_third[0], int(fields_from_third[19])
    except (OSError, ValueError, IndexError):
        return None

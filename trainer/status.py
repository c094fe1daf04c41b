"""How a run stands: one value, which the supervisor writes to ``TREE/.trainer/status.json`` and others read."""

from __future__ import annotations

import json
import math
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from drivesync.disk import local_errors, write_atomically
from drivesync.errors import DiskFullError, LocalWriteError
from trainer.background import running_pid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_EVERY_S = 1.0

ENDED = frozenset({"finished", "stopped", "gave up", "failed"})
DEAD = "dead"
"""What only a reader can say: the supervisor is gone without having ended."""


@dataclass(frozen=True, slots=True)
class RestartNote:
    """Why darknet was started again; ``at_s`` is Unix time."""

    at_s: float
    iteration: int
    reason: str
    resumed_from: int


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. Times are Unix times in seconds; None stands for what is not known or has not happened.

    Attributes:
        state: "starting", "waiting" (for another session to end), "pulling", "training", "restarting", "pushing",
            "finished", "stopped", "gave up", "failed"; and "dead", which only a reader can say: the supervisor is gone
            without having ended.
        pid: of the supervisor.
        started_s: when this session began.
        updated_s: when this was written.
        iteration: the last one that darknet has done.
        max_batches: the iterations that the cfg asks for.
        avg_loss: darknet's moving average; None also where it is not finite.
        resumed_from: the checkpoint's iteration with which this session began; 0 for none.
        safe_iteration: the furthest one that Drive holds, verified.
        safe_at_s: when that was pushed.
        pushed: files that this session has pushed and verified.
        pending: files that are not on Drive yet.
        waiting: the first of them, in words, the most valuable first.
        trouble: why nothing can be pushed at the moment; empty if it can.
        attempts: how often this session has started darknet.
        restarted: how often it has started darknet again, or is about to.
        restarts: why, for the last ones of these.
        message: what the user should know; the reason where the run has ended.
        exit_code: of the supervisor, where it has ended.
        run: what is trained, by the name under which one session at a time may push it; empty where nothing is pushed.
        epoch: how many turns of sessions the run has had, this one's included; None where this one has none.
        ending: how the last attempt ended: an ``Ending``'s name in lower case; empty while none has.
        changes: what darknet runs with other than the user's cfg says; empty for nothing.
        proven: what was pushed is proven to be there; False where it is only written and read back.
        warning: what the user should know as long as it is trained like this; empty for nothing.
    """

    state: str
    pid: int
    started_s: float
    updated_s: float = 0.0
    iteration: int | None = None
    max_batches: int | None = None
    avg_loss: float | None = None
    resumed_from: int | None = None
    safe_iteration: int | None = None
    safe_at_s: float | None = None
    pushed: int = 0
    pending: int = 0
    waiting: tuple[str, ...] = ()
    trouble: str = ""
    attempts: int = 0
    restarted: int = 0
    restarts: tuple[RestartNote, ...] = ()
    message: str = ""
    exit_code: int | None = None
    run: str = ""
    epoch: int | None = None
    ending: str = ""
    changes: str = ""
    warning: str = ""
    proven: bool = True


_FIELDS = frozenset(field.name for field in fields(Status))


class StatusWriter:
    """Keeps the status file, at most one write a second but for changes of state; used from several threads.

    What cannot be written is left out: a full disk is no reason to stop training.
    """

    def __init__(self, tree: Path, status: Status, clock: Callable[[], float] = time.time) -> None:
        self._path = status_path(tree)
        self._clock = clock
        self._lock = threading.Lock()
        self.value = status

    def update(self, **changes: Any) -> None:
        """Change the status, and write it if it is time."""
        with self._lock:
            before, now_s = self.value, self._clock()
            self.value = replace(before, **changes)
            # Either way: the clock of a new machine is set while we run.
            if self.value.state != before.state or abs(now_s - before.updated_s) >= _EVERY_S:
                self._write(now_s)

    def flush(self) -> None:
        """Write the status now."""
        with self._lock:
            self._write(self._clock())

    def _write(self, now_s: float) -> None:
        self.value = replace(self.value, updated_s=now_s)
        content = json.dumps(to_json(self.value), allow_nan=False).encode() + b"\n"
        with suppress(LocalWriteError), local_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_atomically(self._path, content)
            except DiskFullError:
                # What a full disk has brought to an end shall not be taken for what has died without a word; and there
                # is room where the last status lies.
                if self.value.state in ENDED:
                    with self._path.open("r+b") as file:
                        file.write(content)
                        file.truncate()


def status_path(tree: Path) -> Path:
    """Where the status lies."""
    return tree / ".trainer" / "status.json"


def to_json(status: Status) -> dict[str, Any]:
    """The status as JSON's own types; a loss that is not finite becomes null."""
    loss = status.avg_loss
    return asdict(status) | {"avg_loss": loss if loss is not None and math.isfinite(loss) else None}


def read_status(tree: Path) -> Status | None:
    """The status as it is now; None if no supervisor ever ran there, or if the file was lost."""
    try:
        said = json.loads(status_path(tree).read_bytes())
        said["restarts"] = tuple(RestartNote(**note) for note in said["restarts"])
        said["waiting"] = tuple(said["waiting"])
        # That of another version, which runs or ran here, may know of more.
        status = Status(**{key: said[key] for key in said.keys() & _FIELDS})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if status.state not in ENDED and running_pid(tree) is None:
        message = "The supervisor is gone without a word; `trainer supervise` goes on where it stopped."
        return replace(status, state=DEAD, message=message)
    return status


def describe(status: Status, now_s: float) -> str:
    """The status in a few lines for people, the most important thing first."""
    lines = [_describe_safety(status, now_s)]
    done = "" if status.iteration is None else f" at iteration {status.iteration:,}"
    goal = f" of {status.max_batches:,}" if done and status.max_batches else ""
    loss = "" if status.avg_loss is None else f", avg loss {status.avg_loss:.4g}"
    lines.append(f"{status.state}{done}{goal}{loss}")
    if status.resumed_from:
        lines.append(f"this session resumed at iteration {status.resumed_from + 1:,}")
    if status.restarts:
        last = status.restarts[-1]
        lines.append(
            f"{status.restarted} restart(s), the last at iteration {last.iteration:,}: {last.reason}"
        )
    if status.pending:
        named = f": {', '.join(status.waiting)}" if status.waiting else ""
        more = ", ..." if named and status.pending > len(status.waiting) else ""
        lines.append(f"{status.pending} file(s) wait to be pushed{named}{more}")
    if status.changes:
        lines.append(f"with {status.changes}, other than the cfg says")
    lines.extend(line for line in (status.warning, status.trouble, status.message) if line)
    return "\n".join(lines)


def _describe_safety(status: Status, now_s: float) -> str:
    if status.safe_iteration is None:
        return "nothing is safe on Drive yet" if status.proven else "nothing is written to the remote yet"
    line = f"{'safe' if status.proven else 'written'} up to iteration {status.safe_iteration:,}"
    if status.safe_at_s is not None:
        line += f" · pushed {describe_age(now_s - status.safe_at_s)} ago"
    return f"{line} · {'verified' if status.proven else 'read back'}"


def describe_age(seconds: float) -> str:
    """A span of time, roughly: "40 s", "12 min", "3.5 h"."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

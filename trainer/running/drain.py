"""Empties a child's two streams until it has ended, without letting it wait and without waking up for each line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import sys
import termios
import time
from typing import TYPE_CHECKING, Literal

from trainer.running.pipes import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.running.pipes import RotatedLog
    from trainer.running.spawn import Child

Stream = Literal["stdout", "stderr"]

HELD_PIPE_S = 1.0
"""How long after the child's end its streams are still read where an escaped grandchild holds them open.

What the child itself has left in them is read to its end in any case.
"""

_PIPE_BYTES = 1 << 20
_TERMINAL_BYTES = 4096
_POLL_S = 0.25


class Pace:
    """How long to let the streams fill before they are read again.

    A line that comes alone is read at once. Of many, each wake-up takes as many as fill an eighth of the pipe, or as
    come in :attr:`LONGEST_S`: neither a hundred lines a second nor 20,000 wake us for each, and no pipe is ever full.

    Args:
        room_bytes: what the smaller of the pipes holds.
    """

    SHORTEST_S = 0.005
    LONGEST_S = 0.2

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._gather_s = self.SHORTEST_S

    def next_s(self, read_bytes: int, waited_s: float) -> float:
        """Say how long to gather now.

        Args:
            read_bytes: the most that was just read from one of the streams.
            waited_s: how long there had been nothing to read.
        """
        if waited_s >= self.LONGEST_S:
            self._gather_s = self.SHORTEST_S
        elif read_bytes:
            growth = min(2.0, self._room_bytes / 8 / read_bytes)
            self._gather_s = min(self.LONGEST_S, max(self.SHORTEST_S, self._gather_s * growth))
        return 0.0 if read_bytes >= self._room_bytes else self._gather_s


class Drain:
    """Reads both streams to their ends; where these do not come, all that the child left, and :data:`HELD_PIPE_S`.

    Args:
        child: left unreaped, so that its pid stays its own.
        log: gets every byte.
        on_bytes: called when something was read.
        on_lines: gets the lines that it completed.
        on_exit: called once, when the child is seen to have ended; has to end all that may still write.
    """

    def __init__(
        self,
        child: Child,
        log: RotatedLog,
        *,
        on_bytes: Callable[[], None],
        on_lines: Callable[[Stream, list[str]], None],
        on_exit: Callable[[], None],
    ) -> None:
        self._pid = child.pid
        self._log = log
        self._on_bytes = on_bytes
        self._on_lines = on_lines
        self._on_exit = on_exit
        self._open: dict[int, tuple[Stream, LineSplitter]] = {
            child.stdout.fileno(): ("stdout", LineSplitter()),
            child.stderr.fileno(): ("stderr", LineSplitter()),
        }
        self._give_up_s: float | None = None  # set when the child has ended
        self._left_bytes: dict[int, int] = {}

    def run(self) -> None:
        """Return when the child has ended and nothing of its is left in the streams."""
        with select.epoll() as streams, _exit_of(self._pid) as exits:
            pace = Pace(min(_widen(descriptor) for descriptor in self._open))
            for descriptor in self._open:
                streams.register(descriptor, select.EPOLLIN)
            if exits is not None:
                streams.register(exits, select.EPOLLIN)
            while self._open and not self._is_over():
                began_s = time.monotonic()
                ready = [descriptor for descriptor, _ in streams.poll(self._patience_s(exits))]
                waited_s = time.monotonic() - began_s
                most_bytes = max((self._read(streams, at) for at in ready if at in self._open), default=0)
                if self._give_up_s is None and _has_exited(self._pid):
                    if exits is not None:
                        streams.unregister(exits)
                    self._begin_end()
                elif self._give_up_s is None and most_bytes:
                    _sleep_until_exit(exits, pace.next_s(most_bytes, waited_s))
        for stream, splitter in self._open.values():
            self._on_lines(stream, splitter.end())
        if self._give_up_s is None:  # it had closed its streams before
            _wait_for_exit(self._pid)
            self._on_exit()

    def _read(self, streams: select.epoll, descriptor: int) -> int:
        """Take what is there; returns how many bytes."""
        stream, splitter = self._open[descriptor]
        data = _read(descriptor)
        self._left_bytes[descriptor] = max(0, self._left_bytes.get(descriptor, 0) - len(data))
        if data:
            self._on_bytes()
            self._log.write(data)
        else:
            streams.unregister(descriptor)
            del self._open[descriptor]
            self._left_bytes[descriptor] = 0
        self._on_lines(stream, splitter.feed(data) if data else splitter.end())
        return len(data)

    def _begin_end(self) -> None:
        self._on_exit()
        self._give_up_s = time.monotonic() + HELD_PIPE_S
        self._left_bytes = {descriptor: _waiting_bytes(descriptor) for descriptor in self._open}

    def _is_over(self) -> bool:
        if self._give_up_s is None or any(self._left_bytes.values()):
            return False
        return time.monotonic() >= self._give_up_s

    def _patience_s(self, exits: int | None) -> float | None:
        """How long to wait for something to read; None for as long as it takes."""
        if self._give_up_s is not None:
            return max(0.0, self._give_up_s - time.monotonic())
        return _POLL_S if exits is None else None


@contextlib.contextmanager
def _exit_of(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the child ends; None where there is no such thing.

    Linux has it since 5.3; a Python that was built for older ones, conda's say, lacks the function.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sleep_until_exit(exits: int | None, seconds: float) -> None:
    if exits is None:
        time.sleep(seconds)
    else:
        poll = select.poll()
        poll.register(exits, select.POLLIN)
        poll.poll(seconds * 1000)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIPE_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:  # a terminal's way to say that nobody can write any more
            raise
        return b""


def _widen(descriptor: int) -> int:
    """Make a pipe hold more than its 64 KiB; returns the bytes that it holds now."""
    with contextlib.suppress(OSError):  # the user's share of pipe memory is used up; or it is a terminal
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    except OSError:
        return _TERMINAL_BYTES


def _waiting_bytes(descriptor: int) -> int:
    """How much is in a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def _has_exited(pid: int) -> bool:
    """Whether the child has ended; it stays unreaped, so its pid stays its own."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # SIGCHLD is ignored in this process, so the kernel reaps
        return True


def _wait_for_exit(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

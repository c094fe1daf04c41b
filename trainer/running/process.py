"""A child in its own session becomes a stream of events.

::

    darknet ──▸ stdout and stderr ──▸ drain thread ──▸ log, ``last_lines``, ``next_event()``

There is one thread to a process, ``drain``: it spawns the child, empties both pipes as fast as they fill, and
reaps the child. The kernel's parent-death signal follows the *thread* that spawned, so it has to be the one that
certainly lives as long as the child does. ``spawn`` says how the child is started, ``family`` how all that it starts
ends with it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import LocalWriteError
from trainer.running.drain import Drain, Stream
from trainer.running.family import Family
from trainer.running.pipes import RotatedLog
from trainer.running.spawn import check_startable, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from trainer.running.spawn import Child

QUEUE_LINES = 20_000
"""Lines kept for a consumer that does not come; then the oldest are dropped."""

LAST_LINES = 50
"""Lines kept of each stream to say what a child said before it ended."""


@dataclass(frozen=True, slots=True)
class Started:
    """The child runs; always the first event."""

    pid: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; blank ones are left out."""

    stream: Stream
    text: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The child and all that it has started are gone; always the last event.

    ``returncode`` is minus the signal's number where a signal ended the child, as in :mod:`subprocess`.
    """

    returncode: int


Event = Started | Line | Exited


class Process:
    """Run ``argv`` in ``cwd`` as long as the ``with`` block lasts, and say what it does as events.

    The child has its own session and an empty stdin, and it is killed when this process ends, however that comes, with
    all that it has started (see ``family``). Its pipes are emptied whether or not anybody asks for events, so it never
    waits for us. When the block is left nothing of its family is alive.

    Its C library is made to write each line at once. The original darknet fills 4096-byte blocks on a pipe, and what is
    in them is lost when it is killed; its successors would tell of a best mAP after they have written the file that it
    is of. Events are at most :attr:`trainer.running.drain.Pace.LONGEST_S` behind it.

    Args:
        argv: program and arguments; the program is looked up in ``cwd`` if it has a slash, else on PATH.
        cwd: working directory of the child.
        log: file to which every byte of both streams is appended; see ``pipes.LOG_LIMIT_BYTES``. A log that cannot be
            written is no reason to stop: the bytes are then lost, the events are not.
        wanted: which lines become events, all by default; asked in the drain thread, so that a flood of others
            costs the consumer nothing.
        clock: seconds of a monotonic clock, for :attr:`last_byte_at`.

    Raises:
        NoDarknetError: on entering, if the program does not exist or may not be executed.
        TreeError: on entering, if ``cwd`` is no directory.
        LocalWriteError: on entering, if the system cannot start another process.
    """

    def __init__(
        self,
        argv: Sequence[str],
        cwd: Path,
        log: Path,
        *,
        wanted: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_byte_at = 0.0
        """When the last byte came from either pipe, by ``clock``; at first when the child was started.

        Bytes, not lines: during a mAP pass darknet writes no line for minutes.
        """
        self.lines_dropped = 0
        """Wanted lines that were dropped, oldest first, because nobody took them."""
        self._argv = list(argv)
        self._cwd = cwd
        self._log = log
        self._wanted = wanted
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._spawned = threading.Event()
        self._spawn_error: OSError | None = None
        self._family = Family()
        self._child: Child | None = None
        self._changed = threading.Condition()  # guards all that follows
        self._started: Started | None = None
        self._lines: deque[Line] = deque()
        self._exited: Exited | None = None
        self._ended = False
        self._failure: Exception | None = None
        self._line_numbers = itertools.count()
        self._recent: dict[Stream, deque[tuple[int, str]]] = {
            "stdout": deque(maxlen=LAST_LINES),
            "stderr": deque(maxlen=LAST_LINES),
        }

    def __enter__(self) -> Process:
        check_startable(self._argv[0], self._cwd)
        self._thread.start()
        try:
            self._spawned.wait()
        except BaseException:  # a signal handler raised, and there is no block yet whose end would clean up
            self.__exit__(None, None, None)
            raise
        if self._spawn_error is not None:
            self._thread.join()
            raise LocalWriteError(f"cannot start {self._argv[0]}: {self._spawn_error.strerror}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spawned.wait()
        self._signal_group(signal.SIGKILL)
        self._thread.join()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines, wanted or not, in order of arrival: up to :data:`LAST_LINES` of each stream.

        Of each, so that a flood on one does not wash away what the other said.
        """
        with self._changed:
            return tuple(text for _, text in heapq.merge(*self._recent.values()))

    def next_event(self, timeout_s: float | None = None) -> Event | None:
        """Take the next event, waiting up to ``timeout_s`` for it (``None``: as long as it takes).

        Returns:
            ``None`` if none came in time, or at once if :class:`Exited` has been taken already.

        Raises:
            Exception: whatever ``wanted`` raised; the child has been killed then.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._started or self._lines or self._ended, timeout_s)
            if self._started is not None:
                event, self._started = self._started, None
                return event
            if self._lines:
                return self._lines.popleft()
            if self._failure is not None:
                raise self._failure
            exited, self._exited = self._exited, None
            return exited

    def events(self) -> Iterator[Event]:
        """Yield every event up to and with :class:`Exited`."""
        while (event := self.next_event()) is not None:
            yield event

    def stop(self, grace_s: float) -> None:
        """End the process group: SIGTERM, and SIGKILL after ``grace_s``; returns when it is gone.

        Events that were not taken yet can still be taken, :class:`Exited` among them.
        """
        self._signal_group(signal.SIGTERM)
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._ended, grace_s)
        if not in_time:
            self._signal_group(signal.SIGKILL)
            with self._changed:
                self._changed.wait_for(lambda: self._ended)

    def _signal_group(self, number: signal.Signals) -> None:
        with self._changed:
            # Until the child is reaped its pid is taken, so the group's number cannot be anybody else's.
            if self._child is not None and not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._child.pid, number)

    def _run(self) -> None:
        child: Child | None = None
        try:
            with self._family.guard() as guard:
                child = self._spawn()
                guard.watch(child.pid)
                self._spawned.set()
                with RotatedLog(self._log) as log:
                    Drain(
                        child,
                        log,
                        on_bytes=self._note_bytes,
                        on_lines=self._publish,
                        on_exit=self._end_family,
                    ).run()
        except OSError as error:
            if child is None:
                self._spawn_error = error
            else:
                self._failure = error
        except Exception as error:  # noqa: BLE001 - the predicate's, raised again where events are taken
            self._failure = error
        finally:
            if child is not None:
                self._reap(child)
            self._spawned.set()

    def _spawn(self) -> Child:
        child = spawn(self._argv, self._cwd, self._family.environment)
        self.last_byte_at = self._clock()
        with self._changed:
            self._child = child
            self._started = Started(child.pid)
        return child

    def _note_bytes(self) -> None:
        self.last_byte_at = self._clock()

    def _end_family(self) -> None:
        self._signal_group(signal.SIGKILL)
        self._family.kill()

    def _publish(self, stream: Stream, lines: list[str]) -> None:
        wanted = [Line(stream, text) for text in lines if self._wanted is None or self._wanted(text)]
        with self._changed:
            self._recent[stream].extend((next(self._line_numbers), text) for text in lines[-LAST_LINES:])
            self._lines.extend(wanted)
            while len(self._lines) > QUEUE_LINES:
                self._lines.popleft()
                self.lines_dropped += 1
            if wanted:
                self._changed.notify_all()

    def _reap(self, child: Child) -> None:
        """End what is left, and only then give the child's pid back to the system."""
        if self._failure is not None:
            self._end_family()
        child.close()
        with self._changed:
            self._exited = Exited(child.process.wait())
            self._ended = True
            self._changed.notify_all()

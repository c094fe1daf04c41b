"""What is kept of a run beside its weights: its metrics and their pictures, its history, and what was learned of it.

Threads: ``chart``, while one is drawn, waits for the process that draws it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import look
from trainer.curves.event_file import has_writer
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.curves.tensorboard import EVENTS_PATH
from trainer.learning.history import ATTEMPTS_FILE
from trainer.learning.learned import LEARNED_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.files import LocalFile
    from trainer.config import Run

_CHART_TIMEOUT_S = 120.0
_LOOK_EVERY_S = 0.1
_ENDED_WITH_US = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""What stops a training often goes to all of its processes."""


class Papers:
    """The papers of one run; used by one thread.

    Args:
        run: what is trained.
        tell: hears why there is no chart; called from any thread.
    """

    def __init__(self, run: Run, tell: Callable[[str], None]) -> None:
        self._tree = run.tree
        self._tell = tell
        self._chart, self._events = f"{run.backup}/{CHART_NAME}", f"{run.backup}/{EVENTS_PATH}"
        self.metrics_path = f"{run.backup}/{METRICS_NAME}"
        """POSIX and relative to the tree, as ``paths`` are."""
        self._known = self._look()
        self._drawing: _Drawing | None = None
        self._drawn_of: int | None = None

    @property
    def metrics(self) -> Path:
        """Where the metrics are."""
        return self._tree / self.metrics_path

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all papers that there may be."""
        return self.metrics_path, self._chart, self._events, ATTEMPTS_FILE, LEARNED_FILE

    def have_changed(self) -> bool:
        """Whether they have since this was asked last, or since the beginning."""
        before, self._known = self._known, self._look()
        return before != self._known

    def begin_to_draw(self) -> None:
        """Have the chart drawn, unless it is as new as the metrics, or being drawn; returns at once."""
        if self._drawing is None and (written_ns := self._find_undrawn()) is not None:
            self._drawn_of = written_ns
            events = [f"--events={self._tree / self._events}"] if has_writer() else []
            self._drawing = _Drawing([*events, str(self.metrics), str(self._tree / self._chart)], self._tell)
            self._drawing.begin()

    def has_drawn(self) -> bool:
        """Whether a drawing has ended since this was asked last; at once."""
        if self._drawing is None or self._drawing.is_going_on(0.0):
            return False
        self._drawing = None
        return True

    def draw(self, is_hurried: Callable[[], bool]) -> None:
        """Have the chart drawn as the metrics are now, and wait for it; not where ``is_hurried`` says so."""
        # The one under way may be of metrics that have grown since.
        for _ in range(2):
            self.begin_to_draw()
            while self._drawing is not None and not self.has_drawn():
                if is_hurried():
                    self.stop_drawing()
                    return
                self._drawing.is_going_on(_LOOK_EVERY_S)

    def stop_drawing(self) -> None:
        """End a drawing, if there is one; the chart before it stays."""
        if self._drawing is not None:
            self._drawing.kill()
            self._drawing = None
            self._drawn_of = None

    def _find_undrawn(self) -> int | None:
        """When the metrics were written that nobody has tried to draw yet, in nanoseconds; None for none."""
        chart = self._tree / self._chart
        with suppress(OSError):
            metrics = self.metrics.stat()
            written_ns = metrics.st_mtime_ns
            if self._drawn_of is None:
                is_drawn = chart.is_file() and chart.stat().st_mtime_ns >= written_ns
            else:
                # A chart may be newer than metrics that it was not drawn from: they have grown meanwhile.
                is_drawn = self._drawn_of == written_ns
            return None if is_drawn or not metrics.st_size else written_ns
        return None

    def _look(self) -> tuple[LocalFile | None, ...]:
        """As they are, but for the pictures, which follow from them."""
        return tuple(look(self._tree, path) for path in (self.metrics_path, ATTEMPTS_FILE, LEARNED_FILE))


class _Drawing:
    """Pictures that are being drawn, in a process of its own: matplotlib would stay in this one's memory.

    Args:
        argv: what the program is told.
        tell: hears what went wrong.
    """

    def __init__(self, argv: Sequence[str], tell: Callable[[str], None]) -> None:
        self._argv = [sys.executable, "-m", "trainer.curves.chart", *argv]
        self._tell = tell
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_unwanted = False
        self._thread = threading.Thread(target=self._draw, name="chart", daemon=True)

    def begin(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def is_going_on(self, timeout_s: float) -> bool:
        """Whether it has not ended within ``timeout_s``."""
        self._thread.join(timeout_s)
        return self._thread.is_alive()

    def kill(self) -> None:
        """End it, without a word."""
        with self._lock:
            self._is_unwanted = True
            if self._process is not None:
                self._process.kill()

    def _draw(self) -> None:
        try:
            with self._lock:
                if self._is_unwanted:
                    return
                self._process = subprocess.Popen(
                    self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
            said = self._wait_for(self._process)
            if self._process.returncode not in {0, *_ENDED_WITH_US} and not self._is_unwanted:
                last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
                why = last[0] if last else f"it ended with status {self._process.returncode}"
                self._tell(f"no chart could be drawn: {why}")
        except OSError as error:
            self._tell(f"no chart could be drawn: {error}")

    def _wait_for(self, process: subprocess.Popen[bytes]) -> bytes:
        """What it has to say of what went wrong, once it has ended."""
        try:
            return process.communicate(timeout=_CHART_TIMEOUT_S)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"it took longer than {_CHART_TIMEOUT_S:g} s".encode()

"""What is kept of a run beside its weights: its metrics and their chart, its history, and what was learned of it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from drivesync.disk import look
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.learning.history import ATTEMPTS_FILE
from trainer.learning.learned import LEARNED_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import LocalFile
    from trainer.config import Run

_CHART_TIMEOUT_S = 120.0


class Papers:
    """The papers of one run; used by one thread.

    Attributes:
        paths: of all of them, POSIX and relative to the tree.

    Args:
        run: what is trained.
        tell: hears why there is no chart.
    """

    def __init__(self, run: Run, tell: Callable[[str], None]) -> None:
        self._tree = run.tree
        self._tell = tell
        self._metrics, self._chart = f"{run.backup}/{METRICS_NAME}", f"{run.backup}/{CHART_NAME}"
        self.paths = self._metrics, self._chart, ATTEMPTS_FILE, LEARNED_FILE
        self._known = self._look()

    def have_changed(self) -> bool:
        """Whether they have since this was asked last, or since the beginning."""
        before, self._known = self._known, self._look()
        return before != self._known

    def draw(self) -> None:
        """Draw the loss chart, if it is older than the metrics.

        In a process of its own: matplotlib would stay in this one's memory.
        """
        metrics, chart = self._tree / self._metrics, self._tree / self._chart
        try:
            drawn = chart.is_file() and chart.stat().st_mtime_ns >= metrics.stat().st_mtime_ns
            if drawn or not metrics.stat().st_size:
                return
            subprocess.run(
                [sys.executable, "-m", "trainer.curves.chart", str(metrics), str(chart)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_CHART_TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or b""
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
            self._tell(f"no chart could be drawn: {last[0] if last else error}")

    def _look(self) -> tuple[LocalFile | None, ...]:
        """As they are, but for the chart, which follows from them."""
        return tuple(look(self._tree, path) for path in self.paths if path != self._chart)

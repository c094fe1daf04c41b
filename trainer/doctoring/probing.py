"""Look at several things at once, in bounded time; what fails, hangs or raises becomes a line like any other."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from trainer.doctoring.lines import bad, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trainer.doctoring.lines import Line


@dataclass(frozen=True, slots=True)
class Probe:
    """Something to look at.

    Attributes:
        topic: what it is about, where it ends with no line of its own.
        look: yields its lines as they are found out; run in a thread of its own.
        timeout_s: how long it may take.
        hint: what to do where it takes longer, or fails and does not say itself.
    """

    topic: str
    look: Callable[[], Iterable[Line]]
    timeout_s: float
    hint: str = "Try again."


class _Looking:
    """A probe at work; what it has found out so far may be read at any time."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._lines: list[Line] = []
        # A daemon: what hangs, a mount that is gone say, must not keep the process from its end.
        self.thread = threading.Thread(target=self._run, name=f"doctor {probe.topic}", daemon=True)
        self.thread.start()

    def wait(self, began_s: float) -> tuple[Line, ...]:
        """All lines, or those until the probe's time was up, counted from ``began_s`` by the monotonic clock."""
        self.thread.join(max(0.0, began_s + self._probe.timeout_s - time.monotonic()))
        late = self.thread.is_alive()
        lines = tuple(self._lines)
        if not late:
            return lines
        said = f"no answer within {self._probe.timeout_s:g} s"
        return (*lines, warning(self._probe.topic, said, self._probe.hint))

    def _run(self) -> None:
        try:
            for line in self._probe.look():
                self._lines.append(line)
        except DrivesyncError as error:
            self._lines.append(bad(self._probe.topic, str(error), error.hint or self._probe.hint))
        # Whatever it is, the other lines are not to be lost for it.
        except Exception as error:  # noqa: BLE001
            said = f"could not be looked at ({type(error).__name__}: {error})"
            self._lines.append(warning(self._probe.topic, said, "Please report it."))


def run_probes(probes: Sequence[Probe]) -> tuple[Line, ...]:
    """Run all at once; their lines are in the order of ``probes``. It takes as long as the longest of them may."""
    began_s = time.monotonic()
    at_work = [_Looking(probe) for probe in probes]
    return tuple(line for looking in at_work for line in looking.wait(began_s))

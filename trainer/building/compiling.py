"""Runs make or cmake: all that it prints goes to a log, what is told of it is how far it is.

Whoever compiles ends with us: a Ctrl-C ends the whole family, in order at first, so that make removes what it was at.
"""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from trainer.building.steps import count_steps, read_step
from trainer.running.process import Exited, Line, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.progress import Reporter
    from trainer.building.project import Commands

GRACE_S = 3.0
"""How long make may take to end in order."""

_COUNT_TIMEOUT_S = 60.0
_PERCENT = 100


class Interrupted(KeyboardInterrupt):
    """A program was ended on behalf of the user.

    ``in_order`` if it ended by itself when it was asked to, and so could remove what it was at.
    """

    def __init__(self, *, in_order: bool) -> None:
        super().__init__()
        self.in_order = in_order


def run_logged(
    argv: Sequence[str],
    tree: Path,
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    *,
    grace_s: float = GRACE_S,
) -> int:
    """Run a program in ``tree`` to its end; returns its exit status, minus the signal's number where one ended it.

    Args:
        argv: program and arguments.
        tree: its working directory.
        log: all that it prints is added to it.
        on_line: is given each line that begins a step, while it runs.
        grace_s: how long it may take to end in order.

    Raises:
        Interrupted: it has ended then, with all that it had started.
        LocalWriteError: the system cannot start another process.
    """
    with Process(argv, tree, log, wanted=lambda line: read_step(line) is not None) as process:
        try:
            for event in process.events():
                match event:
                    case Line(_, text):
                        on_line(text)
                    case Exited(returncode):
                        return returncode
        except KeyboardInterrupt:
            process.stop(grace_s)
            killed = Exited(-signal.SIGKILL)
            raise Interrupted(in_order=killed not in process.events()) from None
    raise AssertionError("a process has an end")


def compile_all(commands: Commands, tree: Path, log: Path, reporter: Reporter) -> int:
    """Configure, where that is needed, and build; returns the exit status of what failed, else 0.

    Args:
        commands: of the tree.
        tree: where they run.
        log: all that is printed, from its beginning; what it held before is gone.
        reporter: told how far it is.

    Raises:
        Interrupted, LocalWriteError: see ``run_logged``.
    """
    with suppress(OSError):
        log.unlink()
    reporter.begin("build")
    if commands.configure and (failed := run_logged(commands.configure, tree, log)):
        return failed
    progress = _Progress(_count(commands, tree), reporter)
    return run_logged(commands.build, tree, log, progress.note)


class _Progress:
    """Counts steps; or follows the share that cmake tells."""

    def __init__(self, steps: int, reporter: Reporter) -> None:
        self._reporter = reporter
        self._expected = steps
        self._done = 0
        reporter.expect(files=steps)

    def note(self, line: str) -> None:
        step = read_step(line)
        if step is None:
            return
        if step.percent is not None and not self._expected:
            self._expected = _PERCENT
            self._reporter.expect(files=_PERCENT)
        done = min(self._done + 1, self._expected) if step.percent is None else max(self._done, step.percent)
        self._reporter.advance(files=done - self._done)
        self._done = done


def _count(commands: Commands, tree: Path) -> int:
    if not commands.count:
        return 0
    try:
        said = subprocess.run(
            commands.count,
            cwd=tree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COUNT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0  # then make will say what is wrong
    return count_steps(said.stdout.decode("utf-8", "replace").splitlines())

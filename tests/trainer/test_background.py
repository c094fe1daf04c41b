"""One supervisor to a tree; see ``tests/drivesync/test_daemon.py`` for how that is held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock, running_pid, signal_supervisor
from trainer.errors import AlreadyRunningError

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import signal, sys
from pathlib import Path
from trainer.background import RunLock
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


def test_the_second_is_told_who_is_first(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert running_pid(tmp_path) == os.getpid()
        with (
            pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}\) trains {tmp_path}") as caught,
            RunLock(tmp_path),
        ):
            pytest.fail("both hold the lock")
    assert caught.value.pid == os.getpid()
    assert running_pid(tmp_path) is None


def test_a_supervisor_is_signalled_and_nobody_else(tmp_path: Path) -> None:
    assert signal_supervisor(tmp_path, signal.SIGTERM) is None
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert signal_supervisor(tmp_path, signal.SIGTERM) == holder.pid
        assert holder.wait(20) == 7

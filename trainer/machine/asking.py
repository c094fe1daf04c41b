"""Ask an installed program something short: what it prints, or that it did not answer. Never raises, never hangs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 5.0
"""Of a program that tells its version; all of them take a hundredth of that."""
_LEAVE_S = 0.5
_MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said.

    Attributes:
        status: as Python puts it, negative for a signal; None where it did not end in time or could not be started.
        text: its standard output, and behind that what it complained of.
        trouble: why there is no status, as a clause: "it did not answer within 5 s".
    """

    status: int | None
    text: str
    trouble: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it ended and had nothing to complain of."""
        return self.status == 0

    @property
    def first_line(self) -> str:
        """The first that is not empty; empty where it said nothing."""
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "")


def find_on_path(name: str, environ: Mapping[str, str]) -> Path | None:
    """The program that a shell with this environment would start as ``name``; None if there is none."""
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    return Path(found).absolute() if found else None


def ask(program: Path, *arguments: str, environ: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Answer:
    """Run ``program``, in English and in a session of its own; one that is too slow is killed with what it started.

    Args:
        program: absolute.
        arguments: for it.
        environ: its environment, but for the language.
        timeout_s: how long it may take.
    """
    try:
        process = subprocess.Popen(
            [program, *arguments],
            env={**environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Answer(None, "", f"it cannot be started: {getattr(error, 'strerror', None) or error}")
    try:
        output, complaint = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _abandon(process)
        return Answer(None, "", f"it did not answer within {timeout_s:g} s")
    return Answer(process.returncode, f"{output}{complaint}"[:_MAX_CHARACTERS])


def _abandon(process: subprocess.Popen[str]) -> None:
    # Its whole group: a script's children would hold the pipes open.
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    try:
        process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        # It hangs in the kernel, as nvidia-smi does when the driver does: whenever that ends, it is not left behind.
        threading.Thread(target=process.wait, name=f"reap {process.pid}", daemon=True).start()

"""OpenCV's development files by apt, where that may be done without asking anybody."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from trainer.building.compiling import run_logged

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.machine.parts import Machine

PACKAGES = ("libopencv-dev", "pkg-config")

_SUDO = ("sudo", "-n")
_SUDO_TIMEOUT_S = 10.0
_APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120")
"""A machine that has just started installs its own updates, and holds the lock."""


def may_install(machine: Machine, asked: bool | None, *, is_colab: bool) -> bool:  # noqa: FBT001 - as click has it
    """Whether packages may be installed, and can be.

    Args:
        machine: this one.
        asked: by the user; None where nobody has said anything, which is a yes only where the machine is thrown away.
        is_colab: it is one of Colab's.
    """
    if not (is_colab if asked is None else asked):
        return False
    return machine.apt or (shutil.which("apt-get") is not None and _has_sudo())


def install_opencv(machine: Machine, tree: Path, log: Path) -> str:
    """Install OpenCV's development files; returns why that failed, as a clause, or nothing.

    Args:
        machine: tells whether this is root.
        tree: where apt-get runs.
        log: all that it prints is added to it.

    Raises:
        Interrupted, LocalWriteError: see ``run_logged``.
    """
    apt = _APT if machine.apt else (*_SUDO, *_APT)
    install = (*apt, "install", "-y", "--no-install-recommends", *PACKAGES)
    if run_logged(install, tree, log) == 0:
        return ""
    # A fresh container has no lists of packages, and those of an image are of the day it was made.
    if run_logged((*apt, "update"), tree, log) == 0 and run_logged(install, tree, log) == 0:
        return ""
    return f"apt-get could not install {PACKAGES[0]}, {log} says why"


def _has_sudo() -> bool:
    """Whether sudo asks for no password."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [*_SUDO, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SUDO_TIMEOUT_S,
            check=False,
        )
        return done.returncode == 0
    return False

"""OpenCV's development files, found as darknet's Makefile finds them: by pkg-config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainer.machine.asking import TIMEOUT_S, ask, find_on_path
from trainer.machine.parts import OpenCv

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGES = ("opencv4", "opencv")


def find_opencv(environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> OpenCv | None:
    """What ``pkg-config`` knows as opencv4, else as opencv; None where it knows neither, or is not installed.

    Args:
        environ: names PATH and PKG_CONFIG_PATH.
        timeout_s: how long pkg-config may take.
    """
    program = find_on_path("pkg-config", environ)
    if program is None:
        return None
    for package in _PACKAGES:
        answer = ask(program, "--modversion", package, environ=environ, timeout_s=timeout_s)
        if answer.is_good and re.match(r"\d", answer.first_line):
            return OpenCv(answer.first_line, package)
    return None

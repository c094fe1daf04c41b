"""What compiles and links: the C++ compiler, make and cmake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainer.machine.asking import TIMEOUT_S, ask, find_on_path
from trainer.machine.parts import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPILERS = ("g++", "c++")
"""The first is what darknet's Makefiles name."""
_VERSION = re.compile(r"\d+\.\d+[\w.]*")


def find_compiler(environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> Program | None:
    """The C++ compiler on PATH; None if there is none."""
    found = (find_program(name, environ, timeout_s=timeout_s) for name in _COMPILERS)
    return next((program for program in found if program), None)


def find_program(name: str, environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> Program | None:
    """The program ``name`` on PATH, which tells its version when asked with --version; None if there is none."""
    path = find_on_path(name, environ)
    if path is None:
        return None
    line = ask(path, "--version", environ=environ, timeout_s=timeout_s).first_line
    # "g++ (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0": what a distribution calls its package is no version.
    match = _VERSION.search(re.sub(r"\([^)]*\)", "", line)) or _VERSION.search(line)
    return Program(name, path, match[0] if match else "")


def has_openmp(compiler: Program | None, environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether ``-fopenmp`` finds what it links with: GCC's libgomp, or LLVM's libomp."""
    if compiler is None:
        return False
    # A file that is not there is answered by its bare name.
    return any(
        "/" in ask(compiler.path, f"-print-file-name={name}", environ=environ, timeout_s=timeout_s).first_line
        for name in ("libgomp.spec", "libomp.so")
    )

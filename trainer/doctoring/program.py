"""Which darknet trains here, and whether it starts and uses the GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from trainer.building.elf import NoElfError, read_elf
from trainer.config import find_program
from trainer.darknet.program import flavour_of
from trainer.doctoring.lines import bad, good, warning
from trainer.errors import NoDarknetError
from trainer.machine.asking import ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trainer.doctoring.lines import Line
    from trainer.machine.parts import Machine

_TOPIC = "darknet"
_START_TIMEOUT_S = 20.0
"""CUDA's libraries are 1 GB, and are read for the first time."""

_CUDA_LIBRARIES = ("libcudart.so", "libcublas.so", "libcuda.so")
_BUILD = "Build it with `trainer build`."
_ANEW = "Build it anew with `trainer build`."


def judge_program(tree: Path, given: str | None, machine: Machine, environ: Mapping[str, str]) -> Line:
    """The darknet that would train ``tree``. It is started without arguments: it says how it is used, and ends.

    Args:
        tree: need not be there.
        given: the program that the user named.
        machine: that it is to run on.
        environ: that it is started with.
    """
    try:
        program = find_program(tree, given)
        content = program.read_bytes()
    except NoDarknetError as error:
        return _judge_lack(tree, given, machine, error)
    except OSError as error:
        return bad(_TOPIC, f"{error.filename} cannot be read: {error.strerror}", _ANEW)
    flavour = flavour_of(content)
    for_gpu = _is_for_gpu(program, content)
    said = f"{program}: {flavour.value if flavour else 'which of the three is not told by its bytes'}"
    if for_gpu is not None:
        said += f", built for the {'GPU' if for_gpu else 'CPU'}"
    if trouble := _try(program, environ):
        return bad(_TOPIC, f"{said}; it does not start: {trouble}", _ANEW)
    if for_gpu and not machine.gpus.found:
        return bad(_TOPIC, f"{said}, and no GPU is to be seen here, so it will not train", _ANEW)
    if for_gpu is False and machine.gpus.found:
        return warning(_TOPIC, f"{said}: it will not use the GPU", _ANEW)
    return good(_TOPIC, said)


def _try(program: Path, environ: Mapping[str, str]) -> str:
    """Why it does not start; empty if it does."""
    answer = ask(program, environ=environ, timeout_s=_START_TIMEOUT_S)
    if answer.status is None:
        return answer.trouble
    _, told, missing = answer.text.partition("error while loading shared libraries: ")
    if told:
        return missing.splitlines()[0]
    return f"it ended by signal {-answer.status}" if answer.status < 0 else ""


def _judge_lack(tree: Path, given: str | None, machine: Machine, error: NoDarknetError) -> Line:
    own = tree / "darknet"
    if given is not None:
        return bad(_TOPIC, str(error), "Name another one with --darknet, or leave that out.")
    if own.is_file() and not os.access(own, os.X_OK):
        # Drive keeps no run bits, and what it was built for there nobody knows.
        return warning(_TOPIC, f"{own} may not be executed", _BUILD)
    can_build = machine.compiler is not None and machine.make is not None
    return (warning if can_build else bad)(_TOPIC, "there is none yet", _BUILD)


def _is_for_gpu(program: Path, content: bytes) -> bool | None:
    """Whether it is linked with CUDA, itself or by the library that was built with it; None for what is no program."""
    # hank-ai's executable is small, and its library does the work.
    parts = [content]
    try:
        parts += [path.read_bytes() for path in sorted(program.resolve().parent.glob("libdarknet.so*"))]
        needed = [name for part in parts for name in read_elf(part).needed]
    except (OSError, NoElfError):
        return None
    return any(name.rpartition("/")[2].startswith(_CUDA_LIBRARIES) for name in needed)

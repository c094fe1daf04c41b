"""Whether a program that was built is what was asked for, and runs here.

Its bytes are looked at first, and only what passes is run: without arguments, which has every darknet print how it
is used and end, before it touches a GPU or a file.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from trainer.building.arch import read_gencode
from trainer.building.elf import NoElfError, read_elf
from trainer.building.fatbin import GpuCode, read_gpu_code
from trainer.darknet.program import Flavour, flavour_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.building.switches import Switches

TIMEOUT_S = 60.0
"""CUDA's libraries are 1 GB, and are read for the first time."""

_LIBRARIES = (
    ("gpu", "CUDA", ("libcudart.so", "libcublas.so")),
    ("cudnn", "cuDNN", ("libcudnn.so",)),
    ("opencv", "OpenCV", ("libopencv_core.so",)),
    ("openmp", "OpenMP", ("libgomp.so", "libomp.so", "libiomp5.so")),
)
"""A switch, what it is called, and what the program is linked with, one of these, where it was on."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look at a program, and a run of it, have shown.

    Attributes:
        flavour: which darknet it is; None where its bytes do not tell.
        libraries: the shared libraries that it asks for.
        problem: why it is not what was asked for, or does not run, as a clause about it ("is not linked with CUDA");
            empty if it is and does.
        remedy: what to do about that, a sentence.
    """

    flavour: Flavour | None = None
    libraries: tuple[str, ...] = field(default=())
    problem: str = ""
    remedy: str = ""


def prove(
    program: Path,
    switches: Switches,
    companions: Sequence[Path] = (),
    *,
    machine: str = os.uname().machine,
    timeout_s: float = TIMEOUT_S,
) -> Proof:
    """Look at a program, and run it.

    Args:
        program: with its run bit.
        switches: that it was to be built with.
        companions: shared libraries that were built along, and lie where it finds them.
        machine: the processor's kind, as ``uname -m`` calls it.
        timeout_s: how long it may take to say how it is used.

    Raises:
        LocalWriteError: a file cannot be read.
    """
    flavour, needed, code = None, [], GpuCode()
    for path in (program, *companions):
        with local_errors(path, "read"):
            content = path.read_bytes()
        try:
            elf = read_elf(content)
        except NoElfError as error:
            return Proof(problem=f"cannot be run: {path.name}: {error}")
        if elf.machine != machine:
            return Proof(problem=f"cannot be run: {path.name} is for {elf.machine}, and this is {machine}")
        flavour = flavour or flavour_of(content)
        needed += [name for name in elf.needed if name not in needed]
        here = read_gpu_code(content)
        code = GpuCode(code.exact | here.exact, code.ptx | here.ptx)
    libraries = tuple(needed)
    if problem := _compare(libraries, switches) or _compare_code(code, switches):
        return Proof(flavour, libraries, problem, "Build it anew with `trainer build --clean --no-cache`.")
    problem, remedy = _run(program, timeout_s)
    return Proof(flavour, libraries, problem, remedy)


def _compare(libraries: Sequence[str], switches: Switches) -> str:
    """How the libraries belie the switches; empty if they do not."""
    for switch, called, names in _LIBRARIES:
        is_linked = any(library.startswith(names) for library in libraries)
        if getattr(switches, switch) and not is_linked:
            return f"is not linked with {called}"
        # OpenCV has been seen to bring OpenMP along.
        if switch != "openmp" and is_linked and not getattr(switches, switch):
            return f"is linked with {called}, which was not asked for"
    return ""


def _compare_code(code: GpuCode, switches: Switches) -> str:
    """How its GPU code belies the architectures that were asked for; empty if it does not, or nobody can tell."""
    if not (code.exact or code.ptx):
        return ""
    numbers = {target.capability[0] * 10 + target.capability[1] for target in read_gencode(switches.arch)}
    missing = sorted(number for number in numbers if not code.runs_on(number))
    return f"holds no code for a GPU of compute capability {missing[0] / 10}" if missing else ""


def _run(program: Path, timeout_s: float) -> tuple[str, str]:
    """Why it does not run, and what to do about it; both empty if it does."""
    with tempfile.TemporaryDirectory(prefix="darknet-") as nowhere:
        try:
            done = subprocess.run(
                [program.resolve()],
                cwd=nowhere,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return (
                f"said nothing within {timeout_s:.0f} s of its start",
                "See whether the GPU's driver answers: nvidia-smi.",
            )
        except OSError as error:
            return f"cannot be run: {error.strerror}", ""
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode == 0 or (done.returncode > 0 and "usage" in said.lower()):
        return "", ""
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    if "error while loading shared libraries" in last:
        missing = last.partition("shared libraries: ")[2].partition(":")[0]
        remedy = (
            "That is of NVIDIA's driver: build it where there is a GPU, or for the CPU with --cpu."
            if missing.startswith("libcuda.so")
            else f"Name the folder that {missing} is in with LD_LIBRARY_PATH, or install the package that it is of."
        )
        return f"does not find {missing} at its start", remedy
    ended = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}"
    return f"does not run: it {ended}{f', and said: {last}' if last else ''}", ""

"""Which GPUs there are, as ``nvidia-smi`` tells; and where it does not, why, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.machine.asking import ask, find_on_path
from trainer.machine.names import capability_by_name
from trainer.machine.parts import Gpu, Gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.machine.asking import Answer

TIMEOUT_S = 10.0
"""Where no process keeps the driver awake, waking it takes some seconds."""

_MIB = 1 << 20
_FIELDS = "name,compute_cap,memory.total,driver_version"
_AS_ROWS = "--format=csv,noheader,nounits"
_OLD_FIELDS = "name,memory.total,driver_version"
_PLACES = ("usr/bin", "opt/bin", "usr/lib/wsl/lib", "usr/local/nvidia/bin")
"""Where it lies if not on PATH: the driver's packages, Colab, WSL, Google's Kubernetes."""

# "CUDA Version: 12.4" in the table's head; drivers from 610 on, at the latest, call it the user mode driver's.
_HIGHEST_CUDA = re.compile(r"CUDA (?:UMD )?Version\s*:\s*(\d+)\.(\d+)")

_NVIDIA = "0x10de"
_DISPLAYS = "0x03"
"""What PCI classes of VGA, 3D and other display controllers begin with."""

_COLAB_REMEDY = "In Colab: Runtime, Change runtime type, pick a GPU. Elsewhere: "
_TROUBLES = (
    (
        "couldn't communicate with the nvidia driver",
        "its driver does not run",
        f"{_COLAB_REMEDY}install NVIDIA's driver; if it is installed, restart the machine.",
    ),
    (
        "driver/library version mismatch",
        "its driver was updated while the old one is still loaded",
        "Restart the machine; a container: update the driver of its host, or restart the container.",
    ),
    (
        "couldn't find libnvidia-ml",
        "the driver's library is missing",
        "Start the container with GPUs (docker run --gpus all), or reinstall the driver.",
    ),
    (
        "gpu access blocked by the operating system",
        "the operating system keeps it from programs",
        "Update NVIDIA's driver for Windows and WSL (wsl --update), and restart.",
    ),
    (
        "failed to initialize nvml: unknown error",
        "this container has lost it",
        "Restart the container: on its host a systemctl daemon-reload takes GPUs away from those that run.",
    ),
    (
        "insufficient permissions",
        "this user may not use it",
        "Add the user to the group that owns /dev/nvidia* (ls -l /dev/nvidia0), and log in again.",
    ),
    (
        "no devices were found",
        "the driver runs but finds no GPU that works",
        "Restart the machine; if that does not help, what the driver logged is in: dmesg | grep -i nvrm.",
    ),
    (
        "gpu is lost",
        "a GPU has stopped to answer",
        "Restart the machine: nothing else brings it back.",
    ),
    (
        "unable to determine the device handle",
        "a GPU has stopped to answer",
        "Restart the machine: nothing else brings it back.",
    ),
)
"""What nvidia-smi says when it fails, in lower case, what that means, and what helps."""


def find_gpus(environ: Mapping[str, str], *, root: Path = Path("/"), timeout_s: float = TIMEOUT_S) -> Gpus:
    """The GPUs that a program with this environment would see.

    Args:
        environ: names PATH, where nvidia-smi is looked for first, and CUDA_VISIBLE_DEVICES.
        root: what the file system's fixed places lie below.
        timeout_s: how long nvidia-smi may take.
    """
    program = find_on_path("nvidia-smi", environ) or _find_elsewhere(root)
    if program is None:
        return _explain_silence(root)
    answer = ask(program, f"--query-gpu={_FIELDS}", _AS_ROWS, environ=environ, timeout_s=timeout_s)
    has_capability = "is not a valid field" not in answer.text
    if not has_capability:
        answer = ask(program, f"--query-gpu={_OLD_FIELDS}", _AS_ROWS, environ=environ, timeout_s=timeout_s)
    rows = [row for line in answer.text.splitlines() if (row := _split(line, 4 if has_capability else 3))]
    if not rows:
        return _explain_failure(answer)
    table = ask(program, environ=environ, timeout_s=timeout_s)
    highest = _HIGHEST_CUDA.search(table.text)
    cuda = (int(highest[1]), int(highest[2])) if highest else None
    failure = Gpus() if answer.is_good else _explain_failure(answer)
    return _choose_visible(
        Gpus(tuple(_read(row, cuda) for row in rows), failure.problem, failure.remedy), environ
    )


def _find_elsewhere(root: Path) -> Path | None:
    return next((path for place in _PLACES if (path := root / place / "nvidia-smi").is_file()), None)


def _split(line: str, fields: int) -> list[str] | None:
    """A row's fields, the capability empty where it was not asked for; None for what is no row, a complaint say."""
    parts = [part.strip() for part in line.rsplit(",", fields - 1)]
    if len(parts) != fields or not re.fullmatch(r"\d+(?:\.\d+)+", parts[-1]):
        return None
    return parts if fields == 4 else [parts[0], "", *parts[1:]]


def _read(row: list[str], cuda: tuple[int, int] | None) -> Gpu:
    name, said, memory, driver = row
    match = re.fullmatch(r"(\d+)\.(\d+)", said)
    capability = (int(match[1]), int(match[2])) if match else capability_by_name(name)
    # Of a GPU that shares the machine's memory "[N/A]".
    return Gpu(name, capability, int(memory) * _MIB if memory.isdecimal() else 0, driver, cuda)


def _explain_failure(answer: Answer) -> Gpus:
    if answer.status is None:
        remedy = "Restart the machine: a driver that hangs is not cured otherwise."
        return Gpus(problem=f"nvidia-smi tells nothing: {answer.trouble}", remedy=remedy)
    said = " ".join(answer.text.split()).lower()
    for sign, meaning, remedy in _TROUBLES:
        if sign in said:
            return Gpus(problem=f"there may be a GPU, but {meaning}", remedy=remedy)
    told = answer.first_line or f"nothing, and exit status {answer.status}"
    return Gpus(
        problem=f"nvidia-smi names no GPU; it says: {told}",
        remedy=f"{_COLAB_REMEDY}run nvidia-smi yourself, and mend what it complains of.",
    )


def _explain_silence(root: Path) -> Gpus:
    """Without nvidia-smi there is most likely no GPU; the kernel knows of those that have no driver."""
    if (root / "proc/driver/nvidia/version").is_file():
        remedy = "Install the tools that belong to the driver (nvidia-utils), or start the container with --gpus all."
        return Gpus(problem="NVIDIA's driver is loaded, but there is no nvidia-smi", remedy=remedy)
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        if _says(device / "vendor", _NVIDIA) and _says(device / "class", _DISPLAYS):
            remedy = "Install NVIDIA's driver (Ubuntu: ubuntu-drivers install), and restart."
            return Gpus(problem="there is an NVIDIA GPU, but no driver for it", remedy=remedy)
    return Gpus()


def _says(path: Path, begin: str) -> bool:
    try:
        return path.read_text(errors="replace").startswith(begin)
    except OSError:
        return False


def _choose_visible(gpus: Gpus, environ: Mapping[str, str]) -> Gpus:
    """Without those that CUDA_VISIBLE_DEVICES hides from programs, though not from nvidia-smi.

    GPUs named there by their UUID are not told apart. As CUDA does it: what follows the first number that stands for
    none is not looked at (CUDA C++ Programming Guide, "CUDA Environment Variables").
    """
    said = environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return gpus
    if re.match(r"\s*(?:GPU|MIG)-", said):
        return gpus
    chosen: list[Gpu] = []
    for part in map(str.strip, said.split(",")):
        if not part.isdecimal() or int(part) >= len(gpus.found):
            break
        chosen.append(gpus.found[int(part)])
    if chosen:
        return Gpus(tuple(chosen), gpus.problem, gpus.remedy)
    problem = f"CUDA_VISIBLE_DEVICES is {said!r}, which hides every GPU of this machine"
    return Gpus(problem=problem, remedy="Unset it: unset CUDA_VISIBLE_DEVICES.")

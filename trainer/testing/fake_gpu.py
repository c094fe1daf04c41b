"""Programs for a PATH that make a machine look as if it had a GPU, a CUDA toolkit or OpenCV.

They answer what ``trainer.machine`` asks and what a Makefile asks, in the words of the real ones. The nvcc also
compiles, as C++ by the machine's own compiler, and refuses architectures that its version does not know. Every such
call is kept, see ``read_calls``.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

from trainer.machine.names import capability_by_name

if TYPE_CHECKING:
    from pathlib import Path

NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running."
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54"
NO_DEVICES = "No devices were found"

_MEMORY_MIB = {
    "Tesla T4": 15_360,
    "NVIDIA L4": 23_034,
    "NVIDIA A100-SXM4-40GB": 40_960,
    "NVIDIA H100 80GB HBM3": 81_559,
}

_ARCHITECTURES = (
    ((13, 0), (75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121)),
    ((12, 9), (50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 120, 121)),
    ((12, 8), (50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 120)),
    ((12, 0), (50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90)),
    ((11, 8), (35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90)),
    ((11, 1), (35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86)),
    ((11, 0), (35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80)),
    ((10, 0), (30, 32, 35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75)),
)
"""What each nvcc from a version on compiles for: ``nvcc --list-gpu-arch``, NVIDIA's release notes."""

_SMI = """\
table = json.loads({table!r})
asked = next((word for word in sys.argv if word.startswith("--query-gpu=")), None)
if asked is None:
    print(table["head"])
    sys.exit(0)
fields = asked.partition("=")[2].split(",")
for field in fields:
    if field not in table["rows"][0]:
        print(f'Field "{{field}}" is not a valid field to query.')
        sys.exit(2)
for row in table["rows"]:
    print(", ".join(row[field] for field in fields))
"""

_NVCC = """\
known, release, calls = json.loads({settings!r})
given = sys.argv[1:]
if "--version" in given:
    print("nvcc: NVIDIA (R) Cuda compiler driver")
    print(f"Cuda compilation tools, release {{release}}, V{{release}}.88")
    sys.exit(0)
if "--list-gpu-arch" in given:
    if not known[1]:
        sys.exit("nvcc fatal   : Unknown option '--list-gpu-arch'")
    print("\\n".join(f"compute_{{number}}" for number in known[0]))
    sys.exit(0)
if "--dryrun" in given:
    print(f"#$ TOP={{os.path.dirname(os.path.abspath(__file__))}}/..", file=sys.stderr)
    sys.exit(0)
with open(calls, "a") as file:
    file.write(shlex.join(given) + "\\n")
passed, words = [], iter(given)
for word in words:
    if word in ("-gencode", "--generate-code", "-arch") or word.startswith(("-gencode=", "-arch=")):
        wanted = word.partition("=")[2] if word.startswith(("-gencode=", "-arch=")) else next(words)
        for number in re.findall(r"(?:compute|sm)_(\\d+)", wanted):
            if int(number) not in known[0]:
                sys.exit(f"nvcc fatal   : Unsupported gpu architecture 'compute_{{number}}'")
    elif word in ("--compiler-options", "-Xcompiler"):
        passed += [part for part in re.split(r"[ ,]", next(words).strip()) if part]
    else:
        passed += ["-x", "c++", word, "-x", "none"] if word.endswith(".cu") else [word]
sys.exit(subprocess.run(["/usr/bin/env", "c++", *passed]).returncode)
"""

_PKG_CONFIG = """\
package, version = json.loads({settings!r})
given = sys.argv[1:]
if package not in given:
    sys.exit(f"Package {{given[-1]}} was not found in the pkg-config search path.")
if "--modversion" in given:
    print(version)
else:
    print("")
"""


def fake_gpu(
    directory: Path,
    name: str = "Tesla T4",
    *,
    cuda: tuple[int, int] = (12, 8),
    driver_cuda: tuple[int, int] | None = None,
    count: int = 1,
) -> Path:
    """A GPU with driver and toolkit: nvidia-smi and nvcc.

    Args:
        directory: to be put before the others on PATH; made if it is not there.
        name: of the GPU; its compute capability follows from it.
        cuda: the toolkit's version.
        driver_cuda: the highest version that the driver runs; None for the same.
        count: how many GPUs.

    Returns:
        ``directory``.
    """
    fake_smi(directory, name, cuda=driver_cuda or cuda, count=count)
    fake_nvcc(directory, cuda)
    return directory


def fake_smi(
    directory: Path,
    name: str = "Tesla T4",
    *,
    cuda: tuple[int, int] = (12, 8),
    driver: str = "550.54.15",
    memory: str = "",
    count: int = 1,
    tells_capability: bool = True,
) -> Path:
    """An ``nvidia-smi`` that names GPUs.

    Args:
        directory: for the program; made if it is not there.
        name: of all of them.
        cuda: the highest version that the driver runs.
        driver: its version.
        memory: in MiB as the driver says it, "[N/A]" too; empty for what such a GPU has.
        count: how many GPUs.
        tells_capability: False for a driver before 510, which does not know what is asked.
    """
    major, minor = capability_by_name(name) or (0, 0)
    row = {
        "name": name,
        "memory.total": memory or str(_MEMORY_MIB.get(name, 16_384)),
        "driver_version": driver,
    }
    if tells_capability:
        row["compute_cap"] = f"{major}.{minor}"
    head = f"| NVIDIA-SMI {driver}    Driver Version: {driver}    CUDA Version: {cuda[0]}.{cuda[1]}     |"
    table = json.dumps({"head": head, "rows": [row] * count})
    return _write(directory / "nvidia-smi", _SMI.format(table=table))


def fake_failing_smi(directory: Path, said: str = NO_DRIVER, status: int = 9) -> Path:
    """An ``nvidia-smi`` that only says ``said``, and fails."""
    return _write(directory / "nvidia-smi", f"print({said!r})\nsys.exit({status})\n")


def fake_hanging_program(path: Path) -> Path:
    """A program that does not answer, nor does what it starts."""
    return _write(path, "subprocess.run(['/bin/sleep', '600'])\n")


def fake_nvcc(directory: Path, version: tuple[int, int] = (12, 8)) -> Path:
    """An ``nvcc`` of a toolkit from 10.0 on."""
    numbers = next(numbers for since, numbers in _ARCHITECTURES if version >= since)
    # It has listed what it knows since CUDA 11.
    settings = json.dumps(
        [
            [numbers, version >= (11, 0)],
            f"{version[0]}.{version[1]}",
            str(directory.absolute() / "nvcc.calls"),
        ]
    )
    return _write(directory / "nvcc", _NVCC.format(settings=settings))


def fake_cudnn(folder: Path, version: tuple[int, int, int] = (9, 8, 0)) -> Path:
    """Write cuDNN's header into ``folder``: a toolkit's include/, say."""
    folder.mkdir(parents=True, exist_ok=True)
    header = folder / ("cudnn_version.h" if version >= (8, 0, 0) else "cudnn.h")
    names = ("MAJOR", "MINOR", "PATCHLEVEL")
    header.write_text(
        "".join(f"#define CUDNN_{name} {number}\n" for name, number in zip(names, version, strict=True))
    )
    return header


def fake_opencv(directory: Path, version: str = "4.5.4", package: str = "opencv4") -> Path:
    """A ``pkg-config`` that knows ``package`` and nothing else; an empty one stands for no package at all."""
    return _write(
        directory / "pkg-config", _PKG_CONFIG.format(settings=json.dumps([package or "-", version]))
    )


def read_calls(directory: Path) -> tuple[tuple[str, ...], ...]:
    """The arguments of each call of the nvcc in ``directory`` that was to compile or link, in order."""
    calls = directory / "nvcc.calls"
    lines = calls.read_text().splitlines() if calls.exists() else ()
    return tuple(tuple(shlex.split(line)) for line in lines)


def _write(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    modules = "import json, os, re, shlex, subprocess, sys"
    path.write_text(f"#!{sys.executable} -IS\n{modules}\n{body}")
    path.chmod(0o755)
    return path

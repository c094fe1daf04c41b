"""Machines to build ``c_project`` on, whatever is installed on this one: programs by name, libraries without content.

The compilers are real, nvcc's is ``fake_gpu``'s.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from trainer.testing.fake_gpu import NO_DEVICES, fake_cudnn, fake_failing_smi, fake_gpu

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OPENCV_PC = """\
Name: OpenCV
Description: a stand-in
Version: {version}
Libs: -L{libraries} -Wl,-rpath,{libraries} -lopencv_core
Cflags:
"""


def make_libraries(folder: Path, names: Iterable[str]) -> None:
    """Put empty shared libraries for the linker into ``folder``: ``libNAME.so`` for each of ``names``."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "empty.c"
    source.write_text("int empty;\n")
    for name in names:
        library = folder / f"lib{name}.so"
        if not library.exists():
            command = [
                "cc",
                "-shared",
                "-fPIC",
                f"-Wl,-soname,{library.name}",
                str(source),
                "-o",
                str(library),
            ]
            subprocess.run(command, check=True)


def install_opencv(folder: Path, version: str = "4.5.4") -> Path:
    """Put OpenCV's development files below ``folder``; returns what ``PKG_CONFIG_LIBDIR`` has to be to find them."""
    make_libraries(folder / "lib", ["opencv_core"])
    place = folder / "pkgconfig"
    place.mkdir(parents=True, exist_ok=True)
    (place / "opencv4.pc").write_text(_OPENCV_PC.format(version=version, libraries=folder / "lib"))
    return place


def furnish(
    folder: Path,
    gpu: str | None = "Tesla T4",
    *,
    cuda: tuple[int, int] = (12, 8),
    cudnn: tuple[int, int, int] | None = (9, 8, 0),
    opencv: str = "",
) -> dict[str, str]:
    """Make a machine of ``folder`` that builds the project, whatever is installed on this one.

    Args:
        folder: for its programs and libraries; made if it is not there.
        gpu: its name; None for a machine without one, and without CUDA.
        cuda: the toolkit's version.
        cudnn: its version; None for none.
        opencv: its version; empty for none.

    Returns:
        What has to be set in the environment.
    """
    home = folder / "cuda"
    programs = home / "bin"
    if gpu is None:
        fake_failing_smi(programs, NO_DEVICES, status=6)
    else:
        fake_gpu(programs, gpu, cuda=cuda)
        make_libraries(home / "lib64", ["cudart", "cudnn"])
        (home / "include").mkdir(exist_ok=True)
        if cudnn is not None:
            fake_cudnn(home / "include", cudnn)
    packages = install_opencv(folder / "opencv", opencv) if opencv else folder / "no packages"
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CUDA_HOME": str(home),
        "PKG_CONFIG_LIBDIR": str(packages),
        "PKG_CONFIG_PATH": "",
    }

"""The CUDA toolkit and cuDNN: what GPU code is compiled with."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.machine.asking import TIMEOUT_S, ask, find_on_path
from trainer.machine.parts import Cuda, Cudnn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RELEASE = re.compile(r"release (\d+)\.(\d+)")
_ARCHITECTURE = re.compile(r"^compute_(\d+)(\d)$", re.MULTILINE)
_TOP = re.compile(r"^#\$ TOP=(.+)$", re.MULTILINE)
_DEFINED = re.compile(r"^\s*#\s*define\s+CUDNN_(MAJOR|MINOR|PATCHLEVEL)\s+(\d+)", re.MULTILINE)
_MAX_HEADER_BYTES = 1 << 20
_HEADERS = ("cudnn_version.h", "cudnn.h")
"""Where cuDNN says its version: from 8 on in a file of its own."""


def find_cuda(
    environ: Mapping[str, str], *, root: Path = Path("/"), timeout_s: float = TIMEOUT_S
) -> Cuda | None:
    """The first toolkit whose compiler works: on PATH, by CUDA_HOME or CUDA_PATH, in /usr/local; None if there is none.

    Args:
        environ: names PATH, CUDA_HOME and CUDA_PATH.
        root: what the file system's fixed places lie below.
        timeout_s: how long nvcc may take.
    """
    for nvcc in _find_compilers(environ, root):
        said = _RELEASE.search(ask(nvcc, "--version", environ=environ, timeout_s=timeout_s).text)
        if said is None:
            continue
        # Since CUDA 11; before that it complains.
        listed = ask(nvcc, "--list-gpu-arch", environ=environ, timeout_s=timeout_s)
        known = {(int(major), int(minor)) for major, minor in _ARCHITECTURE.findall(listed.text)}
        return Cuda(
            version=(int(said[1]), int(said[2])),
            nvcc=nvcc,
            root=_find_root(nvcc, environ, timeout_s),
            capabilities=tuple(sorted(known)) if listed.is_good else (),
        )
    return None


def find_cudnn(cuda: Cuda | None, architecture: str, *, root: Path = Path("/")) -> Cudnn | None:
    """The first cuDNN with a header that says which one it is; None if there is none.

    Args:
        cuda: the toolkit that it may lie in.
        architecture: of the machine, "x86_64".
        root: what the file system's fixed places lie below.
    """
    # What darknet's Makefile names to the compilers, and where they look unasked.
    searched = [
        root / "usr/local/cuda/include",
        root / "usr/local/cudnn/include",
        root / "usr/local/include",
        root / f"usr/include/{architecture}-linux-gnu",
        root / "usr/include",
    ]
    inside = [cuda.root / "include", cuda.root / f"targets/{architecture}-linux/include"] if cuda else []
    packaged = Path(sysconfig.get_path("platlib")) / "nvidia/cudnn/include"
    for folder in (*inside, *searched, packaged):
        for name in _HEADERS:
            if (version := _read_version(folder / name)) is not None:
                return Cudnn(version, folder / name, searched=folder in searched)
    return None


def _find_compilers(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    if (on_path := find_on_path("nvcc", environ)) is not None:
        yield on_path
    local = root / "usr/local"
    named = [Path(said) for key in ("CUDA_HOME", "CUDA_PATH") if (said := environ.get(key))]
    versions = sorted(local.glob("cuda-*"), key=_by_version, reverse=True)
    for home in (*named, local / "cuda", *versions, root / "opt/cuda"):
        if (path := home.absolute() / "bin/nvcc").is_file():
            yield path


def _by_version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.name))


def _find_root(nvcc: Path, environ: Mapping[str, str], timeout_s: float) -> Path:
    """Where the toolkit lies, by nvcc's own word: what is on PATH may be a script or a link that leads there."""
    told = _TOP.search(
        ask(nvcc, "--dryrun", "-x", "cu", os.devnull, environ=environ, timeout_s=timeout_s).text
    )
    # Debian's package has its headers elsewhere, among those of the system.
    if told and (top := Path(os.path.normpath(told[1]))).joinpath("include").is_dir():
        return top
    # /usr/local/cuda is itself a link, and keeps its name.
    return (nvcc.resolve() if nvcc.is_symlink() else nvcc).parent.parent


def _read_version(header: Path) -> tuple[int, int, int] | None:
    try:
        with header.open(errors="replace") as file:
            said = dict(_DEFINED.findall(file.read(_MAX_HEADER_BYTES)))
        return int(said["MAJOR"]), int(said["MINOR"]), int(said["PATCHLEVEL"])
    except (OSError, KeyError):
        return None

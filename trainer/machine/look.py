"""Look at the machine: all that matters for building darknet here and running it, at once."""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.machine.asking import TIMEOUT_S, find_on_path
from trainer.machine.compiler import find_compiler, find_program, has_openmp
from trainer.machine.cpu import count_cores, count_memory, has_avx
from trainer.machine.cuda import find_cuda, find_cudnn
from trainer.machine.gpu import TIMEOUT_S as GPU_TIMEOUT_S
from trainer.machine.gpu import find_gpus
from trainer.machine.opencv import find_opencv
from trainer.machine.parts import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT_USER = 0


def look_at_machine(
    environ: Mapping[str, str], *, root: Path = Path("/"), timeout_s: float = TIMEOUT_S
) -> Machine:
    """What is here. It takes as long as the slowest program that is asked, a second at most where all is well.

    Never raises: what cannot be told counts as not there.

    Args:
        environ: names PATH, CUDA_HOME, CUDA_VISIBLE_DEVICES and the like.
        root: what the file system's fixed places lie below.
        timeout_s: how long each program may take; nvidia-smi twice that, since it may have to wake the driver.
    """
    architecture = platform.machine()
    gpu_timeout_s = timeout_s * GPU_TIMEOUT_S / TIMEOUT_S
    with ThreadPoolExecutor(thread_name_prefix="machine") as pool:
        gpus = pool.submit(find_gpus, environ, root=root, timeout_s=gpu_timeout_s)
        cuda = pool.submit(find_cuda, environ, root=root, timeout_s=timeout_s)
        opencv = pool.submit(find_opencv, environ, timeout_s=timeout_s)
        make, cmake = (
            pool.submit(find_program, name, environ, timeout_s=timeout_s) for name in ("make", "cmake")
        )
        compiler = find_compiler(environ, timeout_s=timeout_s)
        openmp = has_openmp(compiler, environ, timeout_s=timeout_s)
    return Machine(
        gpus=gpus.result(),
        cuda=cuda.result(),
        cudnn=find_cudnn(cuda.result(), architecture, root=root),
        opencv=opencv.result(),
        compiler=compiler,
        make=make.result(),
        cmake=cmake.result(),
        cores=count_cores(root),
        avx=has_avx(root),
        openmp=openmp,
        memory_bytes=count_memory(root),
        glibc=read_glibc(),
        architecture=architecture,
        apt=find_on_path("apt-get", environ) is not None and os.geteuid() == _ROOT_USER,
    )


def read_glibc() -> str:
    """The version of the GNU C library that this process runs on, "2.35"; empty where it is another library."""
    with suppress(ValueError, OSError):
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return version if name == "glibc" else ""
    return ""

"""How much of its memory and of its time each GPU uses now, as NVIDIA's management library (NVML) tells.

Asked through ``pynvml`` of the package nvidia-ml-py, which Colab has, and which is left out where it is not installed:
``nvidia-smi`` would tell the same, and take a hundred times as long.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What one GPU does.

    Attributes:
        name: as its driver calls it.
        used_bytes: of its memory, by all programs together.
        total_bytes: of its memory.
        busy_percent: the share of the last moment (1/6 s to 1 s) in which it computed; None where it does not tell.
    """

    name: str
    used_bytes: int
    total_bytes: int
    busy_percent: float | None


_asking = threading.Lock()


def read_gpu_use(*, timeout_s: float = TIMEOUT_S) -> tuple[GpuUse, ...]:
    """What each GPU does now; empty where there is none, or nothing that tells. Never raises.

    A driver that hangs is waited for no longer than ``timeout_s``, and is not asked again before it has answered.
    """
    if not _asking.acquire(blocking=False):
        return ()
    answer: list[GpuUse] = []

    def ask() -> None:
        # A library that does not fit its driver may raise anything, and nothing of it is worth more than its answer.
        with suppress(Exception):
            answer.extend(_ask())
        _asking.release()

    thread = threading.Thread(target=ask, name="gpu use", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return () if thread.is_alive() else tuple(answer)


def _ask() -> list[GpuUse]:
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return []
    found = []
    # It is left running: each beginning would wake the driver anew, where nothing else keeps it awake.
    with suppress(nvml.NVMLError):
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            with suppress(nvml.NVMLError):
                found.append(_ask_one(nvml, nvml.nvmlDeviceGetHandleByIndex(index)))
    return found


def _ask_one(nvml: ModuleType, handle: object) -> GpuUse:
    name, memory = nvml.nvmlDeviceGetName(handle), nvml.nvmlDeviceGetMemoryInfo(handle)
    busy: float | None = None
    with suppress(nvml.NVMLError):
        busy = float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    # A string from version 12 on.
    called = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    return GpuUse(called, int(memory.used), int(memory.total), busy)

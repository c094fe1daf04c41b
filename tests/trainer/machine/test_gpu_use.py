from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from trainer.machine.gpu_use import GpuUse, read_gpu_use

if TYPE_CHECKING:
    from collections.abc import Callable

T4 = GpuUse("Tesla T4", 3 << 30, 15 << 30, 97.0)


class NVMLError(Exception):
    """What the library raises, whatever it is."""


class FakeNvml(ModuleType):
    """nvidia-ml-py on a machine with such GPUs; one of None has fallen off the bus."""

    NVMLError = NVMLError

    def __init__(self, *gpus: GpuUse | None, encoded: bool = False) -> None:
        super().__init__("pynvml")
        self.gpus = gpus
        self.encoded = encoded

    def nvmlInit(self) -> None:  # noqa: N802 - the library's name
        """Always well."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> GpuUse:  # noqa: N802
        if (gpu := self.gpus[index]) is None:
            raise NVMLError
        return gpu

    def nvmlDeviceGetName(self, gpu: GpuUse) -> str | bytes:  # noqa: N802
        return gpu.name.encode() if self.encoded else gpu.name

    def nvmlDeviceGetMemoryInfo(self, gpu: GpuUse) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=gpu.used_bytes, total=gpu.total_bytes, free=0)

    def nvmlDeviceGetUtilizationRates(self, gpu: GpuUse) -> SimpleNamespace:  # noqa: N802
        if gpu.busy_percent is None:
            raise NVMLError
        return SimpleNamespace(gpu=int(gpu.busy_percent), memory=0)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType | None], None]:
    """Have the library be this one; None for none."""
    return lambda module: monkeypatch.setitem(sys.modules, "pynvml", module)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize(
    ("gpus", "told"),
    [
        pytest.param((), (), id="none"),
        pytest.param((T4,), (T4,), id="one"),
        pytest.param(
            (T4, GpuUse("NVIDIA L4", 0, 23 << 30, 0.0)), (T4, GpuUse("NVIDIA L4", 0, 23 << 30, 0.0)), id="two"
        ),
        pytest.param((None, T4), (T4,), id="one of two is lost"),
        pytest.param(
            (GpuUse("GRID", 1, 2, None),), (GpuUse("GRID", 1, 2, None),), id="does not tell how busy"
        ),
    ],
)
def test_what_each_does(
    install: Callable[[ModuleType | None], None],
    gpus: tuple[GpuUse | None, ...],
    told: tuple[GpuUse, ...],
    *,
    encoded: bool,
) -> None:
    install(FakeNvml(*gpus, encoded=encoded))
    assert read_gpu_use() == told


def test_without_the_library(install: Callable[[ModuleType | None], None]) -> None:
    install(None)
    assert read_gpu_use() == ()


def test_without_a_driver(
    install: Callable[[ModuleType | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise NVMLError("Driver Not Loaded")

    nvml = FakeNvml(T4)
    monkeypatch.setattr(nvml, "nvmlInit", fail)
    install(nvml)
    assert read_gpu_use() == ()


def test_a_driver_that_breaks_another_way(
    install: Callable[[ModuleType | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = FakeNvml(T4)
    monkeypatch.setattr(nvml, "nvmlDeviceGetMemoryInfo", lambda _gpu: SimpleNamespace())
    install(nvml)
    assert read_gpu_use() == ()


def test_a_driver_that_hangs_is_asked_once(
    install: Callable[[ModuleType | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        hanging.wait(30)

    nvml = FakeNvml(T4)
    monkeypatch.setattr(nvml, "nvmlInit", hang)
    install(nvml)
    begun_s = time.monotonic()
    assert read_gpu_use(timeout_s=0.05) == ()
    assert read_gpu_use(timeout_s=30) == ()
    assert time.monotonic() - begun_s < 10
    assert len(asked) == 1
    hanging.set()
    while not (told := read_gpu_use()):
        assert time.monotonic() - begun_s < 30
    assert told == (T4,)


@pytest.mark.gpu
def test_a_real_one(request: pytest.FixtureRequest) -> None:
    if "gpu" not in str(request.config.getoption("-m")):
        pytest.skip("needs an NVIDIA GPU: run with -m gpu")
    first, *_ = read_gpu_use()
    assert first.name
    assert 0 <= first.used_bytes <= first.total_bytes
    assert first.total_bytes > 1 << 30
    assert first.busy_percent is None or 0 <= first.busy_percent <= 100

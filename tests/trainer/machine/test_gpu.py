"""Which GPUs there are, by nvidia-smi's word; and what to do where it fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainer.machine.gpu import find_gpus
from trainer.machine.parts import Gpu, Gpus
from trainer.testing.fake_gpu import (
    MISMATCH,
    NO_DEVICES,
    NO_DRIVER,
    fake_failing_smi,
    fake_hanging_program,
    fake_smi,
)

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def look(tmp_path: Path, *, timeout_s: float = 10.0, **environ: str) -> Gpus:
    """With nothing on PATH but what is in ``bin``, and with an empty file system around it."""
    return find_gpus({"PATH": str(tmp_path / "bin"), **environ}, root=tmp_path / "root", timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("name", "cuda", "capability", "memory_mib"),
    [
        ("Tesla T4", (12, 4), (7, 5), 15_360),
        ("NVIDIA L4", (12, 8), (8, 9), 23_034),
        ("NVIDIA A100-SXM4-40GB", (11, 8), (8, 0), 40_960),
        ("NVIDIA H100 80GB HBM3", (13, 0), (9, 0), 81_559),
    ],
)
@pytest.mark.parametrize("tells", [pytest.param(True, id="new"), pytest.param(False, id="old driver")])
def test_gpus(
    tmp_path: Path,
    name: str,
    cuda: tuple[int, int],
    capability: tuple[int, int],
    memory_mib: int,
    *,
    tells: bool,
) -> None:
    fake_smi(tmp_path / "bin", name, cuda=cuda, driver="470.82.01", tells_capability=tells)
    expected = Gpu(name, capability, memory_mib * MIB, "470.82.01", cuda)
    assert look(tmp_path) == Gpus((expected,))


def test_a_gpu_that_says_little(tmp_path: Path) -> None:
    fake_smi(tmp_path / "bin", "NVIDIA GB10", memory="[N/A]", tells_capability=False)
    (gpu,) = look(tmp_path).found
    assert (gpu.capability, gpu.memory_bytes) == (None, 0)


@pytest.mark.parametrize(
    ("head", "cuda"),
    [
        pytest.param("| NVIDIA-SMI 550.54.15   CUDA Version: 12.4 |", (12, 4), id="as ever"),
        pytest.param(
            "| NVIDIA-SMI 610.43.02   KMD Version: 610.43.02   CUDA UMD Version: 13.3 |", (13, 3), id="610"
        ),
        pytest.param("| NVIDIA-SMI 390.157 |", None, id="before 410"),
        pytest.param("| CUDA Version: N/A |", None, id="without CUDA's library"),
    ],
)
def test_the_highest_cuda(tmp_path: Path, head: str, cuda: tuple[int, int] | None) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(
        f'#!/bin/sh\n[ "$#" = 0 ] && echo "{head}" || echo "Tesla T4, 7.5, 15360, 1.2"\n'
    )
    (folder / "nvidia-smi").chmod(0o755)
    (gpu,) = look(tmp_path).found
    assert gpu.cuda == cuda


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        pytest.param("0", 1, id="one"),
        pytest.param(" 2, 0 ", 2, id="two"),
        pytest.param("0,7,1", 1, id="what follows one that is not there does not count"),
        pytest.param("GPU-8932f937-d72c", 3, id="by UUID: not told apart"),
        pytest.param("-1", 0, id="none"),
        pytest.param("", 0, id="none, said by nothing"),
        pytest.param("NoDevFiles", 0, id="none, said by a word"),
    ],
)
def test_visible_gpus(tmp_path: Path, visible: str, count: int) -> None:
    fake_smi(tmp_path / "bin", count=3)
    gpus = look(tmp_path, CUDA_VISIBLE_DEVICES=visible)
    assert len(gpus.found) == count
    assert ("CUDA_VISIBLE_DEVICES" in gpus.problem) == (count == 0)


@pytest.mark.parametrize(
    ("said", "problem", "remedy"),
    [
        pytest.param(NO_DRIVER, "its driver does not run", "In Colab: Runtime", id="no driver"),
        pytest.param(MISMATCH, "updated while the old one is still loaded", "Restart", id="mismatch"),
        pytest.param(NO_DEVICES, "finds no GPU that works", "dmesg", id="no devices"),
        pytest.param(
            "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
            "the driver's library is missing",
            "--gpus all",
            id="container without GPUs",
        ),
        pytest.param(
            "Failed to initialize NVML: Unknown Error", "this container has lost it", "Restart", id="lost"
        ),
        pytest.param(
            "Failed to initialize NVML: GPU access blocked by the operating system",
            "keeps it from programs",
            "wsl --update",
            id="WSL",
        ),
        pytest.param(
            "Failed to initialize NVML: Insufficient Permissions", "may not use it", "group", id="rights"
        ),
        pytest.param(
            "Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error",
            "has stopped to answer",
            "Restart",
            id="fallen off the bus",
        ),
        pytest.param(
            "Segmentation whatever", "it says: Segmentation whatever", "yourself", id="anything else"
        ),
        pytest.param("", "nothing, and exit status 9", "yourself", id="not a word"),
    ],
)
def test_failures(tmp_path: Path, said: str, problem: str, remedy: str) -> None:
    fake_failing_smi(tmp_path / "bin", said)
    gpus = look(tmp_path)
    assert gpus.found == ()
    assert problem in gpus.problem
    assert remedy in gpus.remedy


def test_no_devices_without_an_exit_status(tmp_path: Path) -> None:
    fake_failing_smi(tmp_path / "bin", NO_DEVICES, status=0)
    assert "finds no GPU" in look(tmp_path).problem


def test_one_of_two_has_failed(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    lost = "Unable to determine the device handle for GPU 0000:0A:00.0: GPU is lost."
    (folder / "nvidia-smi").write_text(
        f"#!/bin/sh\necho 'Tesla T4, 7.5, 15360, 1.2'; echo '{lost}'; exit 15\n"
    )
    (folder / "nvidia-smi").chmod(0o755)
    gpus = look(tmp_path)
    assert [gpu.name for gpu in gpus.found] == ["Tesla T4"]
    assert "has stopped to answer" in gpus.problem


def test_it_hangs(tmp_path: Path) -> None:
    fake_hanging_program(tmp_path / "bin/nvidia-smi")
    gpus = look(tmp_path, timeout_s=0.3)
    assert gpus.problem == "nvidia-smi tells nothing: it did not answer within 0.3 s"


def test_nothing_is_there(tmp_path: Path) -> None:
    assert look(tmp_path) == Gpus()


@pytest.mark.parametrize("place", ["opt/bin", "usr/lib/wsl/lib"])
def test_it_is_not_on_path(tmp_path: Path, place: str) -> None:
    fake_smi(tmp_path / "root" / place)
    assert len(look(tmp_path).found) == 1


def test_a_driver_without_its_tools(tmp_path: Path) -> None:
    version = tmp_path / "root/proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15\n")
    assert "no nvidia-smi" in look(tmp_path).problem


@pytest.mark.parametrize(
    ("vendor", "kind", "problem"),
    [
        pytest.param("0x10de", "0x030200", "there is an NVIDIA GPU, but no driver for it", id="a GPU"),
        pytest.param("0x10de", "0x040300", "", id="the sound of one"),
        pytest.param("0x8086", "0x030000", "", id="another maker's"),
    ],
)
def test_hardware_without_a_driver(tmp_path: Path, vendor: str, kind: str, problem: str) -> None:
    device = tmp_path / "root/sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")
    assert look(tmp_path).problem == problem


@pytest.mark.gpu
def test_the_real_one(request: pytest.FixtureRequest) -> None:
    if "gpu" not in str(request.config.getoption("-m")):
        pytest.skip("needs an NVIDIA GPU: run with -m gpu")
    gpus = find_gpus(os.environ)
    assert gpus.problem == ""
    for gpu in gpus.found:
        assert gpu.name
        assert gpu.capability is not None
        assert gpu.capability >= (5, 0)
        assert gpu.memory_bytes > 1 << 30
        assert gpu.cuda is not None
        assert gpu.cuda >= (11, 0)
    assert gpus.found

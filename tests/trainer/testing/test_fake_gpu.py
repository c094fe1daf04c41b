"""The fakes answer as the real programs do, where a build depends on it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from trainer.testing.fake_gpu import fake_gpu, fake_nvcc, fake_opencv, read_calls

if TYPE_CHECKING:
    from pathlib import Path

T4 = "arch=compute_75,code=[sm_75,compute_75]"


def test_nvcc_compiles_and_links(tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("there is no C++ compiler here")
    nvcc = fake_nvcc(tmp_path / "bin", (13, 0))
    source, target, program = tmp_path / "a b.cu", tmp_path / "a.o", tmp_path / "a"
    source.write_text("#ifndef GPU\n#error no GPU\n#endif\nint main() { return 3; }\n")
    compiling = (
        "-gencode",
        T4,
        "-DGPU",
        "--compiler-options",
        "-Wall -O2",
        "-c",
        str(source),
        "-o",
        str(target),
    )
    subprocess.run([nvcc, *compiling], check=True)
    subprocess.run([nvcc, str(target), "-o", str(program)], check=True)
    assert subprocess.run([program], check=False).returncode == 3
    assert read_calls(tmp_path / "bin") == (compiling, (str(target), "-o", str(program)))


@pytest.mark.parametrize(
    "option",
    [("-gencode", "arch=compute_50,code=sm_50"), ("-gencode=arch=compute_50,code=sm_50",), ("-arch=sm_50",)],
)
def test_nvcc_refuses_what_it_does_not_know(tmp_path: Path, option: tuple[str, ...]) -> None:
    nvcc = fake_nvcc(tmp_path, (13, 0))
    done = subprocess.run([nvcc, *option, "-c", "a.cu"], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr == "nvcc fatal   : Unsupported gpu architecture 'compute_50'\n"


def test_questions_are_no_calls(tmp_path: Path) -> None:
    folder = fake_gpu(tmp_path, "NVIDIA L4", cuda=(12, 8))
    for asked in ("--version", "--list-gpu-arch", "--dryrun"):
        subprocess.run([folder / "nvcc", asked], check=True, capture_output=True)
    assert read_calls(folder) == ()


def test_pkg_config_knows_one_package(tmp_path: Path) -> None:
    program = fake_opencv(tmp_path, "4.6.0")
    found = subprocess.run([program, "--modversion", "opencv4"], capture_output=True, check=True, text=True)
    assert found.stdout == "4.6.0\n"
    assert subprocess.run([program, "--libs", "opencv"], capture_output=True, check=False).returncode == 1

"""Lines of make and cmake are steps of a build, or none."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from trainer.building.steps import Act, Step, count_steps, read_step

if TYPE_CHECKING:
    from pathlib import Path

CFLAGS = "-Wall -Wfatal-errors -Wno-unused-result -Wno-unknown-pragmas -fPIC -Ofast -DOPENCV -DGPU -DCUDNN"
PKG = "-DOPENCV `pkg-config --cflags opencv4 2> /dev/null || pkg-config --cflags opencv`"
GEMM = "obj/gemm.o"


@pytest.mark.parametrize(
    ("line", "step"),
    [
        pytest.param(
            f"gcc -Iinclude/ -I3rdparty/stb/include {PKG} {CFLAGS} -c ./src/gemm.c -o {GEMM}",
            Step(Act.COMPILE, GEMM),
            id="a C file",
        ),
        pytest.param(
            f"g++ -std=c++11 -std=c++11 -Iinclude/ {PKG} {CFLAGS} -c ./src/image_opencv.cpp -o obj/image_opencv.o",
            Step(Act.COMPILE, "obj/image_opencv.o"),
            id="a C++ file",
        ),
        pytest.param(
            f'nvcc -gencode arch=compute_75,code=[sm_75,compute_75] -DGPU --compiler-options "{CFLAGS}" '
            "-c ./src/blas_kernels.cu -o obj/blas_kernels.o",
            Step(Act.COMPILE, "obj/blas_kernels.o"),
            id="a CUDA file",
        ),
        pytest.param(
            "g++ -std=c++11 -std=c++11 -Iinclude/ obj/gemm.o obj/utils.o -o darknet -lm -pthread -lstdc++",
            Step(Act.LINK, "darknet"),
            id="the program",
        ),
        pytest.param(
            "g++ -std=c++11 -shared -fvisibility=hidden obj/gemm.o src/yolo_v2_class.cpp -o libdarknet.so -lm",
            Step(Act.LINK, "libdarknet.so"),
            id="a shared library",
        ),
        pytest.param(
            "ar rcs libdarknet.a obj/gemm.o obj/utils.o",
            Step(Act.LINK, "libdarknet.a"),
            id="the original's archive",
        ),
        pytest.param(
            f"ccache /usr/bin/x86_64-linux-gnu-gcc-11 -c a.c -o {GEMM}",
            Step(Act.COMPILE, GEMM),
            id="full names",
        ),
        pytest.param(f"  clang++ -c a.cpp -o{GEMM}\r\n", Step(Act.COMPILE, GEMM), id="white space, or none"),
        pytest.param(
            "[  3%] Building CXX object src-lib/CMakeFiles/darknetobjlib.dir/blas.cpp.o",
            Step(Act.COMPILE, "src-lib/CMakeFiles/darknetobjlib.dir/blas.cpp.o", 3),
            id="cmake: a C++ file",
        ),
        pytest.param(
            "[  1%] Building CUDA object src-lib/CMakeFiles/darknetobjlib.dir/avgpool_layer_kernels.cu.o",
            Step(Act.COMPILE, "src-lib/CMakeFiles/darknetobjlib.dir/avgpool_layer_kernels.cu.o", 1),
            id="cmake: a CUDA file",
        ),
        pytest.param(
            "[ 98%] Linking CXX shared library libdarknet.so",
            Step(Act.LINK, "libdarknet.so", 98),
            id="cmake: the library",
        ),
        pytest.param(
            "[100%] Linking CXX executable darknet", Step(Act.LINK, "darknet", 100), id="cmake: the program"
        ),
        pytest.param("[100%] Built target darknet", None, id="cmake: a target is done"),
        pytest.param("mkdir -p obj", None, id="a folder"),
        pytest.param("chmod +x *.sh", None, id="run bits"),
        pytest.param(
            "./src/gemm.c:12:5: warning: unused variable 'x' [-Wunused-variable]", None, id="a warning"
        ),
        pytest.param(
            "g++: fatal error: Killed signal terminated program cc1plus", None, id="a compiler speaks"
        ),
        pytest.param("gcc --version", None, id="a compiler is asked"),
        pytest.param("ar t", None, id="an archiver without an archive"),
        pytest.param("make: *** [Makefile:150: obj/gemm.o] Error 1", None, id="make speaks"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_line_begins_a_step_or_none(line: str, step: Step | None) -> None:
    assert read_step(line) == step


MAKEFILE = """\
OBJS = obj/a.o obj/b.o
all: obj darknet
obj:
\tmkdir -p obj
darknet: $(OBJS)
\tgcc $^ -o $@
obj/%.o: %.c
\tgcc -Wall -c $< -o $@
"""


def test_make_announces_as_many_steps_as_it_takes(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "a.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "b.c").write_text("int b;\n")

    def make(*arguments: str) -> list[str]:
        command = ["make", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    assert count_steps(make("-n")) == 3
    assert count_steps(make("-j2")) == 3
    assert count_steps(make("-n")) == 0
    (tmp_path / "b.c").write_text("int c;\n")
    assert count_steps(make("-n", "-W", "b.c")) == 2

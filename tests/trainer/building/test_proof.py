"""A program is run only if its bytes are those of what was asked for; and it counts only if it runs."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from trainer.building.proof import prove
from trainer.building.switches import Switches
from trainer.darknet.program import Flavour
from trainer.testing.workshop import make_libraries

if TYPE_CHECKING:
    from pathlib import Path

CPU = Switches()
USAGE = 'fprintf(stderr, "usage: %s <function>\\n", argv[0]);'


def compile_program(folder: Path, body: str, libraries: tuple[str, ...] = ()) -> Path:
    """A program that leaves a file ``ran`` beside itself, and then does ``body``."""
    make_libraries(folder / "lib", libraries)
    source, program = folder / "program.c", folder / "darknet"
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        'const char *loss = "%d: %f, %f avg loss, %f rate, %lf seconds, %d images, %f hours left";\n'
        f'int main(int argc, char **argv) {{ fclose(fopen("{folder}/ran", "w")); {body} return 0; }}\n'
    )
    linked = [f"-l{name}" for name in libraries]
    paths = ["-Wl,--no-as-needed", f"-L{folder}/lib", f"-Wl,-rpath,{folder}/lib"]
    subprocess.run(["cc", "-w", str(source), "-o", str(program), *paths, *linked], check=True)
    return program


def test_a_program_that_is_what_was_asked_for(tmp_path: Path) -> None:
    proof = prove(compile_program(tmp_path, USAGE, ("cudart", "cudnn")), Switches(gpu=True, cudnn=True))
    assert (proof.problem, proof.flavour) == ("", Flavour.AX)
    assert {"libcudart.so", "libcudnn.so"} <= set(proof.libraries)


@pytest.mark.parametrize(
    ("libraries", "switches", "problem"),
    [
        pytest.param(
            (), Switches(gpu=True), "is not linked with CUDA", id="a CPU build where a GPU's was asked for"
        ),
        pytest.param(
            ("cudart",), CPU, "is linked with CUDA, which was not asked for", id="the other way round"
        ),
        pytest.param(("cudart",), Switches(gpu=True, cudnn=True), "is not linked with cuDNN", id="no cuDNN"),
        pytest.param((), Switches(opencv=True), "is not linked with OpenCV", id="no OpenCV"),
        pytest.param(("opencv_core",), CPU, "is linked with OpenCV, which was not asked for", id="OpenCV"),
        pytest.param((), Switches(openmp=True), "is not linked with OpenMP", id="no OpenMP"),
    ],
)
def test_what_is_not_what_was_asked_for_is_not_run(
    tmp_path: Path, libraries: tuple[str, ...], switches: Switches, problem: str
) -> None:
    proof = prove(compile_program(tmp_path, USAGE, libraries), switches)
    assert proof.problem == problem
    assert proof.remedy
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(f"{USAGE} return 1;", "", id="some say how they are used and call that an error"),
        pytest.param("raise_it();", "", id="says nothing, and all is well"),
        pytest.param("abort();", "does not run: it ended by signal 6", id="crashes"),
        pytest.param(
            'puts("no GPU"); return 3;', "does not run: it ended with 3, and said: no GPU", id="fails"
        ),
        pytest.param("sleep(600);", "said nothing within 0 s of its start", id="hangs"),
    ],
)
def test_what_does_not_run_is_no_proof(tmp_path: Path, body: str, problem: str) -> None:
    program = compile_program(tmp_path, body.replace("raise_it();", ""))
    assert prove(program, CPU, timeout_s=0.3 if "sleep" in body else 20).problem == problem


def test_a_library_that_is_not_here_is_named(tmp_path: Path) -> None:
    program = compile_program(tmp_path, USAGE, ("cudart", "nowhere"))
    (tmp_path / "lib/libnowhere.so").unlink()
    proof = prove(program, Switches(gpu=True))
    assert proof.problem == "does not find libnowhere.so at its start"
    assert "LD_LIBRARY_PATH" in proof.remedy


def test_the_libraries_that_came_with_it_are_looked_at_too(tmp_path: Path) -> None:
    program = compile_program(tmp_path, USAGE)
    make_libraries(tmp_path / "lib", ["darknet"])
    assert prove(program, CPU, [tmp_path / "lib/libdarknet.so"]).problem == ""
    (tmp_path / "lib/libdarknet.so").write_bytes(b"\x7fELF torn")
    assert prove(program, CPU, [tmp_path / "lib/libdarknet.so"]).problem.startswith(
        "cannot be run: libdarknet.so"
    )


def test_a_script_or_one_for_another_processor_is_not_run(tmp_path: Path) -> None:
    program = compile_program(tmp_path, USAGE)
    assert prove(program, CPU, machine="riscv64").problem == (
        f"cannot be run: darknet is for {os.uname().machine}, and this is riscv64"
    )
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho usage\n")
    assert prove(program, CPU).problem == "cannot be run: darknet: it is no program for a 64-bit Linux"
    assert not (tmp_path / "ran").exists()

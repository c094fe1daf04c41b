"""What a program asks for, read from its bytes; and whatever else is handed in is refused, not believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.building.elf import NoElfError, read_elf
from trainer.testing.workshop import make_libraries


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("libraries")
    make_libraries(folder, ["cudart"])
    (folder / "program.c").write_text("int other;\n")
    command = [
        *("cc", "-shared", "-fPIC", "program.c", "-o", "program.so"),
        *("-Wl,--no-as-needed", "-L.", "-lcudart", "-Wl,-rpath,$ORIGIN/build:/opt"),
    ]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "program.so").read_bytes()


def test_what_is_needed_and_where_it_is_looked_for(library: bytes) -> None:
    elf = read_elf(library)
    assert elf.machine == os.uname().machine
    assert elf.needed[0] == "libcudart.so"
    assert any(name.startswith("libc.so") for name in elf.needed)
    assert elf.run_path == "$ORIGIN/build:/opt"


def test_a_program_of_this_machine() -> None:
    assert any(name.startswith("libc.so") for name in read_elf(Path(sys.executable).read_bytes()).needed)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"#!/bin/sh\n", id="a script"),
        pytest.param(b"\x7fELF\x02\x01\x01", id="a head and no more"),
        pytest.param(b"\x7fELF\x01\x01\x01" + bytes(200), id="32 bits"),
        pytest.param(b"\x7fELF\x02\x02\x01" + bytes(200), id="the other end first"),
    ],
)
def test_what_is_no_program(content: bytes) -> None:
    with pytest.raises(NoElfError):
        read_elf(content)


@given(st.data())
def test_torn_and_flipped_programs_are_refused_or_read_but_never_crash(
    library: bytes, data: st.DataObject
) -> None:
    content = bytearray(library[: data.draw(st.integers(0, len(library)))])
    for at in data.draw(st.lists(st.integers(0, 2000), max_size=8)):
        if at < len(content):
            content[at] ^= data.draw(st.integers(1, 255))
    try:
        elf = read_elf(bytes(content))
    except NoElfError:
        return
    assert all(isinstance(name, str) for name in elf.needed)

"""GPU code is found by the heads of its containers; whatever else looks like one is passed over."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.building.fatbin import GpuCode, read_gpu_code

PTX, EXACT = 1, 2


def container(*entries: tuple[int, int]) -> bytes:
    """As nvcc 13.0 writes it: PTX with a head of 80 bytes, machine code with one of 64."""
    body = b""
    for kind, number in entries:
        head_size = 80 if kind == PTX else 64
        head = struct.pack("<HHIQ12xI", kind, 257, head_size, 256, number)
        body += head.ljust(head_size, b"\0") + b"\x11" * 256
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", GpuCode(), id="nothing"),
        pytest.param(b"\x7fELF and more", GpuCode(), id="a CPU's program"),
        pytest.param(
            b"before" + container((EXACT, 75), (PTX, 75)) + bytes(8) + container((EXACT, 80)),
            GpuCode(frozenset({75, 80}), frozenset({75})),
            id="two files' code",
        ),
        pytest.param(container((PTX, 90)), GpuCode(ptx=frozenset({90})), id="PTX alone"),
        pytest.param(container((EXACT, 75))[:100], GpuCode(), id="torn"),
        pytest.param(container((7, 75)), GpuCode(), id="of a kind that nobody knows"),
        pytest.param(struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 1 << 60), GpuCode(), id="longer than the file"),
    ],
)
def test_what_is_there(content: bytes, code: GpuCode) -> None:
    assert read_gpu_code(content) == code


@pytest.mark.parametrize(
    ("code", "runs_on"),
    [
        pytest.param(GpuCode(exact=frozenset({75})), [75], id="machine code for exactly this"),
        pytest.param(GpuCode(exact=frozenset({80})), [80, 86, 89], id="and for later ones of its generation"),
        pytest.param(GpuCode(ptx=frozenset({75})), [75, 80, 86, 89, 90], id="PTX for all that came later"),
        pytest.param(GpuCode(), [], id="none"),
    ],
)
def test_where_it_runs(code: GpuCode, runs_on: list[int]) -> None:
    assert [number for number in (70, 75, 80, 86, 89, 90) if code.runs_on(number)] == runs_on


@given(st.binary(max_size=400), st.integers(0, 400))
def test_what_looks_like_it_never_crashes(noise: bytes, at: int) -> None:
    content = container((EXACT, 75), (PTX, 75))
    read_gpu_code(content[:at] + noise + content[at:])

"""PURE: which shared libraries a program for Linux asks for, from its bytes.

``readelf -d`` says the same, but comes with a compiler, and a program that was built elsewhere is looked at where there
may be none; and ``ldd`` runs what it looks at. Source: the System V ABI, chapters 4 and 5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<4s5B7xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")

_CLASS_64, _LITTLE_ENDIAN = 2, 1
_LOAD, _DYNAMIC = 1, 2
_NULL, _NEEDED, _STRINGS, _RPATH, _RUNPATH = 0, 1, 5, 15, 29

_MACHINES = {62: "x86_64", 183: "aarch64"}
"""As ``uname -m`` calls those that CUDA knows."""


@dataclass(frozen=True, slots=True)
class Elf:
    """A program or a shared library.

    Attributes:
        machine: as ``uname -m`` calls it; its number in the ABI where that is another one.
        needed: names of shared libraries, in its own order: "libc.so.6".
        run_path: where these are looked for first, divided by colons; empty where it says nothing.
    """

    machine: str
    needed: tuple[str, ...] = ()
    run_path: str = ""


class NoElfError(ValueError):
    """These bytes are no whole program for a 64-bit little-endian Linux, as every one with CUDA is."""


def read_elf(content: bytes) -> Elf:
    """What ``content``, which may be anything, says of itself.

    Raises:
        NoElfError: it is no program, or a torn one.
    """
    try:
        magic, word, order, *_ = head = _HEADER.unpack_from(content)
        if (magic, word, order) != (b"\x7fELF", _CLASS_64, _LITTLE_ENDIAN):
            raise NoElfError("it is no program for a 64-bit Linux")
        number, offset, size, count = head[7], head[10], head[14], head[15]
        segments = [_SEGMENT.unpack_from(content, offset + index * size) for index in range(count)]
        entries = [
            entry for segment in segments if segment[0] == _DYNAMIC for entry in _read(content, segment)
        ]
        table = _find(segments, dict(entries).get(_STRINGS))
    except struct.error as error:
        raise NoElfError("it is torn") from error
    needed = tuple(_name(content, table, at) for tag, at in entries if tag == _NEEDED)
    paths = [_name(content, table, at) for tag, at in entries if tag in {_RPATH, _RUNPATH}]
    return Elf(_MACHINES.get(number, f"machine {number}"), needed, ":".join(paths))


def _read(content: bytes, segment: tuple[int, ...]) -> list[tuple[int, int]]:
    """The entries of a dynamic segment, up to the one that ends it."""
    offset, size = segment[2], segment[5]
    entries: list[tuple[int, int]] = []
    for at in range(offset, offset + size, _ENTRY.size):
        tag, value = _ENTRY.unpack_from(content, at)
        if tag == _NULL:
            break
        entries.append((tag, value))
    return entries


def _find(segments: list[tuple[int, ...]], address: int | None) -> int | None:
    """Where in the file lies what is loaded to ``address``."""
    for kind, _, offset, start, _, size, *_ in segments:
        if kind == _LOAD and address is not None and start <= address < start + size:
            return offset + address - start
    return None


def _name(content: bytes, table: int | None, at: int) -> str:
    end = content.find(b"\0", table + at) if table is not None else -1
    if table is None or end < 0:
        raise NoElfError("its names are not in it")
    return content[table + at : end].decode("utf-8", "replace")

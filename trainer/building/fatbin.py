"""PURE: for which GPUs a program holds code, from its bytes.

nvcc puts what it compiled of each file into a container of its own, one after the other in the section ``.nv_fatbin``;
what is in them may be compressed, their heads are not. NVIDIA describes none of this: the layout is what nvcc writes
(seen with 13.0, and the same in what is public of ``fatbinary`` since CUDA 4), and what does not fit it is passed over.
``cuobjdump --list-elf`` says the same where it is installed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC = struct.pack("<I", 0xBA55ED50)
_HEAD = struct.Struct("<IHHQ")  # magic, version, size of this head, size of all that follows
_ENTRY = struct.Struct("<HHIQ12xI")  # kind, -, size of this head, size of its content, -, architecture
_PTX, _MACHINE_CODE = 1, 2


@dataclass(frozen=True, slots=True)
class GpuCode:
    """What GPU code there is, by architectures as nvcc numbers them: 75 for compute capability 7.5.

    Attributes:
        exact: machine code, which runs on this architecture, and later ones of the same first digit.
        ptx: what a driver translates for this architecture or any later one.
    """

    exact: frozenset[int] = frozenset()
    ptx: frozenset[int] = frozenset()

    def runs_on(self, number: int) -> bool:
        """Whether a GPU of this architecture finds something to run."""
        return any(each <= number and each // 10 == number // 10 for each in self.exact) or any(
            each <= number for each in self.ptx
        )


def read_gpu_code(content: bytes) -> GpuCode:
    """The GPU code in a program or a library, which may be anything; nothing where there is none."""
    found: dict[int, set[int]] = {_PTX: set(), _MACHINE_CODE: set()}
    at = content.find(_MAGIC)
    while at >= 0:
        _read_container(content, at, found)
        at = content.find(_MAGIC, at + len(_MAGIC))
    return GpuCode(frozenset(found[_MACHINE_CODE]), frozenset(found[_PTX]))


def _read_container(content: bytes, at: int, found: dict[int, set[int]]) -> None:
    try:
        _, _, head_size, size = _HEAD.unpack_from(content, at)
        at += head_size
        end = at + size
        while at < end <= len(content):
            kind, _, head_size, size, number = _ENTRY.unpack_from(content, at)
            if kind not in found or head_size < _ENTRY.size:
                return
            found[kind].add(number)
            at += head_size + size
    except struct.error:
        return

"""PURE: which GPU architectures nvcc compiles for, and how it is told.

Sources: the release notes of the CUDA toolkit, and what ``nvcc --list-gpu-arch`` of 13.0 prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Version = tuple[int, int]
"""(7, 5) of a compute capability, (12, 8) of CUDA."""

_ALWAYS: Version = (0, 0)
_STILL: Version = (99, 0)

# From which CUDA on, and until which, nvcc compiles for a compute capability.
_SPANS: dict[Version, tuple[Version, Version]] = {
    (3, 0): (_ALWAYS, (10, 2)),
    (3, 5): (_ALWAYS, (11, 8)),
    (3, 7): (_ALWAYS, (11, 8)),
    (5, 0): (_ALWAYS, (12, 9)),
    (5, 2): (_ALWAYS, (12, 9)),
    (5, 3): (_ALWAYS, (12, 9)),
    (6, 0): ((8, 0), (12, 9)),
    (6, 1): ((8, 0), (12, 9)),
    (6, 2): ((8, 0), (12, 9)),
    (7, 0): ((9, 0), (12, 9)),
    (7, 2): ((9, 2), (12, 9)),
    (7, 5): ((10, 0), _STILL),
    (8, 0): ((11, 0), _STILL),
    (8, 6): ((11, 1), _STILL),
    (8, 7): ((11, 4), _STILL),
    (8, 8): ((13, 0), _STILL),
    (8, 9): ((11, 8), _STILL),
    (9, 0): ((11, 8), _STILL),
    (10, 0): ((12, 8), _STILL),
    (10, 1): ((12, 8), (12, 9)),
    (10, 3): ((12, 9), _STILL),
    (11, 0): ((13, 0), _STILL),
    (12, 0): ((12, 8), _STILL),
    (12, 1): ((12, 9), _STILL),
}

_GENCODE = re.compile(r"arch=compute_(\d+)[a-z]?,code=\[?([\w,]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """What nvcc is to make for a GPU.

    Attributes:
        capability: compute capability to compile for.
        exact: machine code and PTX for it; False: PTX only, which the driver of a newer GPU translates at the start.
    """

    capability: Version
    exact: bool = True


def capabilities_of(cuda: Version) -> tuple[Version, ...]:
    """The compute capabilities that the nvcc of a CUDA version compiles for, ascending."""
    return tuple(sorted(each for each, (since, until) in _SPANS.items() if since <= cuda <= until))


def choose_target(capability: Version, known: Sequence[Version]) -> Target | None:
    """What to compile for a GPU; None if it is older than all that this nvcc knows.

    A GPU that is not known gets the PTX of the newest known one before it.

    Args:
        capability: the GPU's.
        known: nvcc's, ascending.
    """
    if capability in known:
        return Target(capability)
    older = [each for each in known if each < capability]
    return Target(older[-1], exact=False) if older else None


def gencode(targets: Iterable[Target]) -> str:
    """Nvcc's options for some targets: the value of ARCH in a darknet Makefile."""
    return " ".join(_gencode_of(target) for target in targets)


def read_gencode(text: str) -> tuple[Target, ...]:
    """What ``gencode`` has put into words."""
    return tuple(
        Target((int(number) // 10, int(number) % 10), exact=f"sm_{number}" in codes.split(","))
        for number, codes in _GENCODE.findall(text)
    )


def spell(version: Version) -> str:
    """(7, 5) as "7.5"."""
    return f"{version[0]}.{version[1]}"


def _gencode_of(target: Target) -> str:
    number = f"{target.capability[0]}{target.capability[1]}"
    code = f"[sm_{number},compute_{number}]" if target.exact else f"compute_{number}"
    return f"-gencode arch=compute_{number},code={code}"

"""PURE: which GPU architectures nvcc compiles for, and how it is told which.

Sources: the release notes of the CUDA toolkits; nvcc's manual on -gencode; what ``nvcc --list-gpu-arch`` of CUDA 13.0
prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trainer.machine.parts import Cuda, Gpu

Version = tuple[int, int]
"""(7, 5) of a compute capability, (12, 8) of CUDA."""

NATIVE = "-arch=native"
"""What has nvcc ask the GPUs here what they are."""

_NATIVE_SINCE: Version = (11, 5)

# From which CUDA on, and until which, nvcc compiles for a compute capability.
_EVER: Version = (0, 0)
_STILL: Version = (99, 0)
_SPANS: dict[Version, tuple[Version, Version]] = {
    (3, 0): (_EVER, (10, 2)),
    (3, 5): (_EVER, (11, 8)),
    (3, 7): (_EVER, (11, 8)),
    (5, 0): (_EVER, (12, 9)),
    (5, 2): (_EVER, (12, 9)),
    (5, 3): (_EVER, (12, 9)),
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
_CAPABILITY = re.compile(r"(?:sm_|compute_)?(\d{1,2})\.?(\d)")


@dataclass(frozen=True, slots=True)
class Target:
    """What nvcc is to make.

    Attributes:
        capability: the compute capability to compile for.
        exact: machine code for it, and its PTX; False: PTX only, which the driver of a newer GPU translates at the
            program's start.
    """

    capability: Version
    exact: bool = True


@dataclass(frozen=True, slots=True)
class ArchChoice:
    """What nvcc is told.

    Attributes:
        options: the value of ARCH in a darknet's Makefile; empty leaves what the Makefile says.
        oldest: the least compute capability of the GPUs that it is for; None if that is not known.
        notes: what is not as one would expect; a sentence each.
        problem: why nothing can be made for these GPUs; empty if something can.
    """

    options: str
    oldest: Version | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


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


def choose_arch(gpus: Sequence[Gpu], cuda: Cuda) -> ArchChoice:
    """What nvcc is to be told so that its code runs on each of these GPUs, and is for no other."""
    if any(gpu.capability is None for gpu in gpus):
        return _arch_of_unknown(cuda)
    known = cuda.capabilities or capabilities_of(cuda.version)
    targets: dict[Version, Target] = {}
    used: list[Version] = []
    notes: list[str] = []
    for capability, name in sorted({(gpu.capability, gpu.name) for gpu in gpus if gpu.capability}):
        target = choose_target(capability, known)
        if target is None:
            notes.append(_say_too_old(name, capability, cuda, known))
            continue
        if not target.exact:
            notes.append(_say_too_new(name, capability, cuda, target))
        used.append(capability)
        # Machine code comes with its PTX, so it stands for both.
        if target.exact or target.capability not in targets:
            targets[target.capability] = target
    if not targets:
        return ArchChoice("", problem=" ".join(notes))
    options = gencode(targets[capability] for capability in sorted(targets))
    return ArchChoice(options, oldest=min(used), notes=tuple(notes))


def parse_arch(text: str, cuda: Cuda) -> ArchChoice:
    """What the user asks for: "7.5", "75,86", or nvcc's options as they are, which begin with a hyphen.

    Raises:
        SettingsError: it is neither, or this nvcc does not know it.
    """
    if text.startswith("-"):
        return ArchChoice(text, oldest=min((each.capability for each in read_gencode(text)), default=None))
    known = cuda.capabilities or capabilities_of(cuda.version)
    capabilities: set[Version] = set()
    for word in re.split(r"[\s,;]+", text.strip()):
        match = _CAPABILITY.fullmatch(word)
        if not match:
            hint = 'Give compute capabilities, "7.5" or "7.5,8.6", or nvcc\'s options, "-gencode ...".'
            raise SettingsError(f"{word!r} is no compute capability", hint=hint)
        capability = (int(match[1]), int(match[2]))
        if capability not in known:
            listed = ", ".join(map(spell, known))
            raise SettingsError(
                f"CUDA {spell(cuda.version)} compiles for {listed}, not for {spell(capability)}"
            )
        capabilities.add(capability)
    return ArchChoice(gencode(map(Target, sorted(capabilities))), oldest=min(capabilities))


def gencode(targets: Iterable[Target]) -> str:
    """Nvcc's options for some targets: ``-gencode arch=compute_75,code=[sm_75,compute_75]``."""
    return " ".join(_gencode_of(target) for target in targets)


def read_gencode(options: str) -> tuple[Target, ...]:
    """What ``gencode`` has put into words; nothing for options of another kind."""
    return tuple(
        Target((int(number[:-1]), int(number[-1])), exact=f"sm_{number}" in codes.split(","))
        for number, codes in _GENCODE.findall(options)
    )


def spell(version: Version) -> str:
    """(7, 5) as "7.5"."""
    return f"{version[0]}.{version[1]}"


def _gencode_of(target: Target) -> str:
    number = f"{target.capability[0]}{target.capability[1]}"
    code = f"[sm_{number},compute_{number}]" if target.exact else f"compute_{number}"
    return f"-gencode arch=compute_{number},code={code}"


def _arch_of_unknown(cuda: Cuda) -> ArchChoice:
    if cuda.version >= _NATIVE_SINCE:
        return ArchChoice(
            NATIVE, notes=("The driver does not say what compute capability the GPU has: nvcc asks the GPU.",)
        )
    note = (
        "The driver does not say what compute capability the GPU has: ARCH stays as the Makefile has it. "
        "Name it yourself if darknet finds no code for this GPU."
    )
    return ArchChoice("", notes=(note,))


def _say_too_old(name: str, capability: Version, cuda: Cuda, known: Sequence[Version]) -> str:
    last = _SPANS.get(capability, (_EVER, _EVER))[1]
    remedy = f" CUDA {spell(last)} is the last that does." if last != _EVER else ""
    return (
        f"{name} has compute capability {spell(capability)}, and CUDA {spell(cuda.version)} compiles for "
        f"{spell(known[0])} and newer.{remedy}"
    )


def _say_too_new(name: str, capability: Version, cuda: Cuda, target: Target) -> str:
    return (
        f"{name} has compute capability {spell(capability)}, which CUDA {spell(cuda.version)} does not know: it gets "
        f"the PTX of {spell(target.capability)}, and the first start takes longer. A newer CUDA would do better."
    )

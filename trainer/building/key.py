"""PURE: what a compiled darknet depends on, and so the name that it is kept under.

Whatever can make the compiler emit other code, or keep a program from running elsewhere, is in the key: one field too
many costs a compilation, one too few a program that crashes hours later.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.machine.parts import Machine

_FORMAT = 1
_NAME_LETTERS = 32


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What a compiled darknet depends on; a field is empty where the machine has nothing of the kind.

    Attributes:
        source_sha256: of the source, see ``hash_source``; lower-case hex.
        arguments: what make or cmake is told, word by word and in order: the switches with the GPU's architecture, and
            what else changes the code.
        capability: compute capabilities of the GPUs, ascending ("7.5", "7.5 8.0").
        cuda, cudnn, opencv: versions compiled with ("12.8", "9.8.0", "4.5.4").
        compiler: the C++ compiler and its version ("g++ 11.4.0").
        glibc: its version ("2.35"); a program does not start with an older one.
        architecture: of the processor ("x86_64").
        avx: the processor runs AVX and AVX2; hank-ai's darknet is compiled for both without asking.
    """

    source_sha256: str
    arguments: tuple[str, ...]
    capability: str = ""
    cuda: str = ""
    cudnn: str = ""
    opencv: str = ""
    compiler: str = ""
    glibc: str = ""
    architecture: str = ""
    avx: bool = False

    @property
    def said(self) -> dict[str, object]:
        """The fields as JSON has them."""
        return {**asdict(self), "arguments": list(self.arguments)}

    @property
    def name(self) -> str:
        """32 letters of lower-case hex, the same for equal keys on every machine."""
        text = json.dumps({"format": _FORMAT, **self.said}, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_NAME_LETTERS]


def make_key(source_sha256: str, arguments: Sequence[str], machine: Machine) -> BuildKey:
    """The key of what is compiled from a source, with these arguments, on a machine.

    Args:
        source_sha256: see ``hash_source``; of the source as the compiler gets it, after the Makefile was edited.
        arguments: what make or cmake is told, but for what changes nothing in the program (-j, a build's folder), and
            with what the environment tells it (CXXFLAGS=..., which cmake heeds and darknet's Makefiles do not).
        machine: as it is now, after packages were installed for the build.
    """
    capabilities = sorted({gpu.capability for gpu in machine.gpus.found if gpu.capability is not None})
    compiler = machine.compiler
    return BuildKey(
        source_sha256=source_sha256,
        arguments=tuple(arguments),
        capability=" ".join(_dotted(capability) for capability in capabilities),
        cuda=_dotted(machine.cuda.version) if machine.cuda else "",
        cudnn=_dotted(machine.cudnn.version) if machine.cudnn else "",
        opencv=machine.opencv.version if machine.opencv else "",
        compiler=f"{compiler.name} {compiler.version}".strip() if compiler else "",
        glibc=machine.glibc,
        architecture=machine.architecture,
        avx=machine.avx,
    )


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(number) for number in version)

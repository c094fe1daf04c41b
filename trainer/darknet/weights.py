"""PURE: darknet's weights files: what their names say, what their headers say, and whether one is whole.

    offset 0   int32 major, minor, revision          little-endian
          12   uint64 seen                           if major * 10 + minor >= 2, else uint32
          20   float32 ...                           as many as the cfg implies, to the end of the file

The original darknet writes 0, 2, 0, its successors 0, 2, 5; 0, 1 is what older files have. ``seen`` counts images; an
iteration is as many of them as the cfg's batch. darknet writes in place, checks nothing and loads anything: half a
file, a wild header, numbers that are none. So only what is proved whole here is ever resumed from or pushed.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from trainer.darknet.program import Flavour
from trainer.darknet.size import HEADER_BYTES, weights_size

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.darknet.cfg import Network

_VERSION = struct.Struct("<iii")
_NEWEST_REVISION = 99
_MAX_BATCHES_FACTOR = 2


class HeaderError(ValueError):
    """The first bytes of a file are no header that a darknet writes."""


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a weights file; ``size_bytes`` is its own, ``seen`` is in images."""

    major: int
    minor: int
    revision: int
    seen: int
    size_bytes: int

    @property
    def flavour(self) -> Flavour:
        """Which darknet wrote it, as far as that changes a file's size."""
        return Flavour.PJ if self.revision == 0 else Flavour.AX


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a weights file is whole, else why not, as a clause.

    Attributes:
        whole: darknet may resume from it.
        reason: why it is not whole.
        iteration: how far the training in it is; None unless it is whole.
        poisoned_at: likewise, of a file that would be whole but for numbers that are NaN or infinite.
        seen: the images that it was trained with, by which files can be compared whatever the cfg's batch was; None
            unless it is whole.
    """

    whole: bool
    reason: str = ""
    iteration: int | None = None
    poisoned_at: int | None = None
    seen: int | None = None


class Kind(Enum):
    """Which of a run's weights files one is, by its name."""

    LAST = "last"
    BACKUP = "backup"
    BEST = "best"
    EMA = "ema"
    NUMBERED = "numbered"
    FINAL = "final"
    PLAIN = "plain"
    """Nothing follows the base: no darknet writes such a file while it trains."""


@dataclass(frozen=True, slots=True)
class CheckpointName:
    """What a weights file's name says; ``number`` is that of a numbered one."""

    base: str
    kind: Kind
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A weights file that was looked into; ``modified_s`` is Unix time."""

    path: Path
    name: CheckpointName
    size_bytes: int
    modified_s: float
    verdict: Verdict

    @property
    def iteration(self) -> int:
        """How far the training in it is; 0 if it is not whole."""
        return self.verdict.iteration or 0

    @property
    def seen(self) -> int:
        """The images that it was trained with; 0 if it is not whole."""
        return self.verdict.seen or 0


_NAME = re.compile(
    r"(?P<base>.+)_(?:(?P<word>last|best|ema|final)|(?P<number>[0-9]{1,9}))\.weights", re.DOTALL
)


def name_of(filename: str) -> CheckpointName | None:
    """Read a weights file's name without its directory; None if it is not one of a weights file.

    All three darknets begin it with the cfg's name without directory and extension, which may itself end in a number.
    """
    if match := _NAME.fullmatch(filename):
        if match["word"]:
            return CheckpointName(match["base"], Kind(match["word"]))
        return CheckpointName(match["base"], Kind.NUMBERED, int(match["number"]))
    for ending, kind in ((".backup", Kind.BACKUP), (".weights", Kind.PLAIN)):
        if filename.endswith(ending) and filename != ending:
            return CheckpointName(filename.removesuffix(ending), kind)
    return None


def parse_header(head: bytes) -> Header:
    """Read the header off a file's first 20 bytes (16 do for an old one).

    Raises:
        HeaderError: there are fewer, or no darknet writes such a version.
    """
    if len(head) < _VERSION.size:
        raise HeaderError(f"{len(head)} bytes are no weights file")
    major, minor, revision = _VERSION.unpack_from(head)
    if major != 0 or minor not in {1, 2} or not 0 <= revision <= _NEWEST_REVISION:
        raise HeaderError(f"its header is of no known version ({major}.{minor}.{revision})")
    seen = struct.Struct("<Q" if minor == 2 else "<I")
    size_bytes = _VERSION.size + seen.size
    if len(head) < size_bytes:
        raise HeaderError(f"{len(head)} bytes are no weights file")
    return Header(major, minor, revision, seen.unpack_from(head, _VERSION.size)[0], size_bytes)


def judge(head: bytes, size_bytes: int, network: Network, *, finite: bool) -> Verdict:
    """Say whether a weights file is whole, and how far the training in it is.

    ``seen`` may exceed what the cfg asks for, up to twice as much, for people lower ``max_batches`` or ``batch``; more
    than that is taken for a damaged header, which would make darknet finish in an instant. It need not be a multiple
    of the batch, for the same reason.

    Args:
        head: the file's first 20 bytes, or all it has.
        size_bytes: of the whole file.
        network: that the file is to fit.
        finite: whether no number after the header is NaN or infinite.

    Raises:
        TreeError: the network has layers whose size is not known.
    """
    expected = weights_size(network, header_bytes=HEADER_BYTES)
    try:
        header = parse_header(head)
    except HeaderError as error:
        return Verdict(whole=False, reason=_torn(size_bytes, expected, network) or str(error))
    expected = weights_size(network, header_bytes=header.size_bytes, flavour=header.flavour)
    iteration = header.seen // network.images_per_iteration
    asked = network.max_batches
    if reason := _torn(size_bytes, expected, network):
        return Verdict(whole=False, reason=reason)
    if iteration < 1:
        return Verdict(whole=False, reason="its header says that it was never trained")
    if iteration > asked * _MAX_BATCHES_FACTOR:
        reason = (
            f"its header says iteration {iteration}, far above the {asked} that {network.net.source} asks for"
        )
        return Verdict(whole=False, reason=reason)
    if not finite:
        reason = "it holds numbers that are NaN or infinite"
        return Verdict(whole=False, reason=reason, poisoned_at=iteration)
    return Verdict(whole=True, iteration=iteration, seen=header.seen)


def _torn(size_bytes: int, expected: int, network: Network) -> str:
    if size_bytes == expected:
        return ""
    if not size_bytes:
        return "it is empty"
    difference = abs(size_bytes - expected)
    word = "shorter" if size_bytes < expected else "longer"
    return f"it is {difference} bytes {word} than the {expected} that {network.net.source} implies"

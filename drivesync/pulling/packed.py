"""Which files of a listing come from packs, and which parts of these are read for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.pulling.manifest import Manifest, Member, Pack, tar_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivesync.files import RemoteFile

NEAR_BYTES = 2 << 20
"""What lies between two members is read along up to here: another request costs more. Drive gives about 27 downloads
a second to a user (https://developers.google.com/workspace/drive/api/guides/limits), and 60 MB of one in that time."""


@dataclass(frozen=True, slots=True)
class FromPack:
    """A file of the listing, and where its content lies."""

    file: RemoteFile
    pack: Pack
    member: Member


class Packed:
    """What a manifest's packs hold, by the remote's id for each file and its content."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._places: dict[tuple[str, str, int], tuple[Pack, Member]] = {}
        for pack in manifest.packs:
            for member in pack.members:
                self._places.setdefault((member.file_id, member.md5, member.size), (pack, member))

    def match(self, file: RemoteFile) -> tuple[Pack, Member] | None:
        """Where the content that ``file`` has now lies, whatever it is called by now; None for nowhere."""
        return self._places.get((file.id, file.md5, file.size))

    def take(self, files: Iterable[RemoteFile]) -> tuple[FromPack, ...]:
        """Those of ``files`` that are in packs, by pack and offset."""
        found = [FromPack(file, *place) for file in files if (place := self.match(file)) is not None]
        return tuple(sorted(found, key=lambda one: (one.pack.name, one.member.offset, one.file.path)))


NO_PACKS = Packed(Manifest())


def plan_ranges(
    pack: Pack, wanted: Iterable[Member], *, near_bytes: int = NEAR_BYTES
) -> tuple[tuple[int, int], ...]:
    """What to read of ``pack`` for the members ``wanted``.

    All from the first to the last where half of the pack or more is wanted; else each for itself, together with what
    lies so near to it that another request would cost more.

    Args:
        pack: one of a manifest's.
        wanted: of its members; in any order, and some perhaps twice. Empty ones need no reading.
        near_bytes: members with at most so much between them are read together.

    Returns:
        First and last byte (included) of each range, in order; no wanted member is cut by a range's end.
    """
    spans = sorted({(member.offset, member.offset + member.size - 1) for member in wanted if member.size})
    if not spans:
        return ()
    all_bytes = sum(tar_bytes(member.size) for member in pack.members)
    if 2 * sum(tar_bytes(last - first + 1) for first, last in spans) >= all_bytes:
        return ((spans[0][0], spans[-1][1]),)
    ranges = [spans[0]]
    for first, last in spans[1:]:
        begun, end = ranges[-1]
        if first - end - 1 <= near_bytes:
            ranges[-1] = (begun, last)
        else:
            ranges.append((first, last))
    return tuple(ranges)

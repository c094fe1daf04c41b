"""Finding packs: what the remote keeps beside the tree, for whoever has many files to fetch.

Packs are a cache that anybody with access to the folder can write to, or delete at any time. So whatever is wrong with
the manifest costs a line, and the files come one by one as if there were none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from drivesync.pulling.manifest import MANIFEST, MOST_MANIFEST_BYTES, Manifest, ManifestError, read_manifest
from drivesync.pulling.packed import NO_PACKS, Packed
from drivesync.remotes.base import PackingRemote

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote

WORTH_IT = 100
"""With fewer files to come, asking for packs costs more than they save: some requests, one after the other."""

MOST_MEMBER_BYTES = 4 << 20
"""A member is held in memory while it arrives; a file that is larger does better by itself in any case."""


def find_packs(remote: Remote, note: Callable[[str], None]) -> Packed:
    """What packs there are; none where they are not to be had, which is told to ``note``.

    Takes about four requests, one after the other; one where there are no packs.
    """
    if not isinstance(remote, PackingRemote):
        return NO_PACKS
    try:
        file = remote.find(MANIFEST)
        return NO_PACKS if file is None else Packed(fetch_manifest(remote, file))
    except DrivesyncError as error:
        note(f"packs are of no use now, files come one by one: {error}")
        return NO_PACKS


def fetch_manifest(remote: Remote, file: RemoteFile) -> Manifest:
    """What the manifest that lies there as ``file`` says.

    Raises:
        ManifestError: it is none, or says what cannot be.
        RemoteError: it is not to be had.
    """
    manifest = read_manifest(_read(remote, file))
    if any(member.size > MOST_MEMBER_BYTES for pack in manifest.packs for member in pack.members):
        raise ManifestError("the manifest of packs names a file that is too large for a pack")
    return manifest


def _read(remote: Remote, file: RemoteFile) -> bytes:
    if file.size > MOST_MANIFEST_BYTES:
        raise ManifestError(f"the manifest of packs is larger than {MOST_MANIFEST_BYTES:,} bytes")
    raw = _Held()
    remote.read(file, raw)
    if hashlib.md5(raw.content, usedforsecurity=False).hexdigest() != file.md5:
        raise ManifestError("the manifest of packs came damaged")
    return bytes(raw.content)


class _Held:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        self.content += block

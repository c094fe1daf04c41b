"""Packs and their manifest as they lie on the remote; what is written is compared afterwards.

The manifest is what counts: a pack that it does not name is no pack. It is a file whose id stays, so that who reads it
has the old one or the new one whole.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.errors import DamagedError, MovedError
from drivesync.pulling.finding import fetch_manifest
from drivesync.pulling.manifest import (
    MANIFEST,
    PACK_NAME,
    PACKS_FOLDER,
    Manifest,
    ManifestError,
    Pack,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from drivesync.files import RemoteFile
    from drivesync.mirroring.write_rate import WriteRate
    from drivesync.packing.tarstream import TarStream
    from drivesync.remotes.base import PackingRemote

ABANDONED_AFTER_S = 3600.0
"""What no manifest names for so long belongs to no session that is at work: that names each pack when it is there."""

_TRIES = 2
"""To write a manifest: one that came damaged would make all packs useless."""
_LOOKS = 5
"""At a manifest that other sessions write meanwhile."""


class PackStore:
    """What lies in PACKS_FOLDER; used by one thread.

    Args:
        remote: entered.
        rate: of writes.
        note: told a line where the manifest is of no use.
    """

    def __init__(self, remote: PackingRemote, rate: WriteRate, note: Callable[[str], None]) -> None:
        self._remote = remote
        self._rate = rate
        self._note = note
        self._known: RemoteFile | None = None

    def read_manifest(self) -> Manifest:
        """What the manifest says; nothing where it is of no use, which is told."""
        try:
            return self._fetch(self._look())
        except (ManifestError, MovedError) as error:
            self._note(f"all packs are made anew: {error}")
            return Manifest()

    def leave_out_lost(self, manifest: Manifest) -> Manifest:
        """``manifest`` without packs that are gone, or are not what it says."""
        listed = {file.id: file for file in self._remote.files_in(PACKS_FOLDER)} if manifest.packs else {}
        sound = (pack for pack in manifest.packs if self._is_there(pack, listed.get(pack.file_id)))
        return Manifest(tuple(sound))

    def write_pack(self, name: str, stream: TarStream) -> Pack:
        """Put a pack there, which no manifest names yet.

        Raises:
            MemberChangedError: a file of it was changed here meanwhile; there is no pack.
            DamagedError: what the remote holds is not what was sent.
        """
        there = self._write(f"{PACKS_FOLDER}/{name}", stream, stream.size, None)
        _refuse_other(there, stream.size, stream.md5())
        return Pack(name, there.size, there.md5, there.id, stream.members)

    def write_manifest(self, manifest: Manifest) -> None:
        """Let ``manifest`` be what counts; of two sessions that do so the later one wins.

        Raises:
            DamagedError: what the remote holds is not what was sent.
        """
        again = Retrying(
            retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
        )
        again(self._write_manifest, write_manifest(manifest))

    def delete_unnamed(self, is_ours: Callable[[str], bool]) -> int:
        """Delete packs that the manifest does not name, and older twins of it; returned is how many packs.

        What other sessions put there lately stays: their manifest is to come. So does all where the manifest cannot be
        read: a later version may have written it.

        Args:
            is_ours: whether no other session is about to name the pack of this name.
        """
        deleted = 0
        there: RemoteFile | None = None
        named: frozenset[str] = frozenset()
        for file in self._remote.files_in(PACKS_FOLDER):
            if not self._is_old(file, is_ours):
                continue
            # At this very moment: another session may just have named it.
            now = self._look()
            if there is None or now is None or now.md5 != there.md5:
                try:
                    named = frozenset(pack.file_id for pack in self._fetch(now).packs)
                except (ManifestError, MovedError):
                    return deleted
                there = self._known
            if file.id not in named and (there is None or file.id != there.id):
                self._rate.take()
                self._remote.delete(file)
                deleted += file.path != MANIFEST
        return deleted

    def _is_old(self, file: RemoteFile, is_ours: Callable[[str], bool]) -> bool:
        name = file.path.rpartition("/")[2]
        if not PACK_NAME.fullmatch(name) and file.path != MANIFEST:
            return False
        return is_ours(name) or self._remote.now_s() - file.modified_s > ABANDONED_AFTER_S

    def _write_manifest(self, raw: bytes) -> None:
        self._known = there = self._write(MANIFEST, io.BytesIO(raw), len(raw), self._look())
        _refuse_other(there, len(raw), hashlib.md5(raw, usedforsecurity=False).hexdigest())

    def _look(self) -> RemoteFile | None:
        """The manifest as it is now; of several the newest, as all who look for it do.

        Never what a shortcut in its place leads to: that may be anything, and the manifest is written over.
        """
        listed = [file for file in self._remote.files_in(PACKS_FOLDER) if file.path == MANIFEST]
        # A listing may lag behind what was just made; what is asked for by its id does not.
        found = {file.id: file for file in [*listed, self._known] if file is not None}
        fresh = [now for file in found.values() if (now := self._remote.renew(file)) is not None]
        self._known = max(fresh, key=lambda file: (file.modified_s, file.id), default=None)
        return self._known

    def _fetch(self, there: RemoteFile | None) -> Manifest:
        """What the manifest says that lies ``there``, or the one that came in its place meanwhile.

        Raises:
            ManifestError: it is of no use.
            MovedError: another one comes all the time.
        """
        for tries_left in reversed(range(_LOOKS)):
            if there is None:
                break
            try:
                return fetch_manifest(self._remote, there)
            except (ManifestError, MovedError):
                now = self._look()
                if not tries_left or (now is not None and now.md5 == there.md5):
                    raise
                there = now
        return Manifest()

    def _is_there(self, pack: Pack, listed: RemoteFile | None) -> bool:
        there = listed or self._remote.renew(pack.as_file())
        return there is not None and (there.size, there.md5) == (pack.size, pack.md5)

    def _write(self, path: str, source: BinaryIO, size: int, replaces: RemoteFile | None) -> RemoteFile:
        self._rate.take()
        return self._remote.write(
            path,
            source,
            size=size,
            modified_s=self._remote.now_s(),
            properties={},
            executable=False,
            replaces=replaces,
        )


def _refuse_other(there: RemoteFile, size: int, md5: str) -> None:
    if (there.size, there.md5) != (size, md5):
        raise DamagedError(
            f"{there.path} is not on the remote as it was sent: expected {size} bytes with md5 {md5}, "
            f"it has {there.size} bytes with md5 {there.md5}"
        )

"""Who may write a run, kept in a directory so that of any number of sessions exactly one has each turn.

    REMOTE/.drivesync/lease-KEY-N.json    turn N of the run: since, holder, who, released, in a text of one length for
                                          the file's life; its mtime is when its session was last heard from

A turn is taken by making its file, which a file system lets only one of several do. Its content is there from the
first moment where the file system knows links: it is written to a hidden name, and linked. Elsewhere the file is made
with O_EXCL and then written, and whoever reads it between, or after its maker died between, sees a turn of somebody
unknown, which goes stale as any other.

The name of the next file is known to all, so there is no doubt about the first turn either. Old files are removed,
the current one never: a session that finds its own file gone, or one of a higher turn, has lost; and a claim that made
a file looks for those of higher turns afterwards, since a claimer that slept for days may have made one that was there
before and is removed now.

A session is heard from when it writes its file anew, in place, with the same bytes: the file system stamps it, by the
server's clock on a network disk, and a file that was removed is not made again. A mount that syncs later lets two
machines make one file: it keeps nothing of this.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from drivesync.errors import DrivesyncError, NotFoundError, TransientError
from drivesync.files import STATE_FOLDER, LeaseRecord
from drivesync.remotes.folder.placing import sync_folder
from drivesync.turns import lease_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.folder.root import Root

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EMLINK, errno.EINVAL})
_KEPT = 8
_MOST_BYTES = 4096
_WHO_LETTERS = 200
_UNKNOWN = "a session that has not said who it is"


class FolderLeases:
    """The leases on the runs of one tree; safe to use from several threads.

    Args:
        root: of the tree.
        now_s: Unix time by the clock of its file system.
        link: makes the second path another name of the first one's file; fails if it is there.
    """

    def __init__(
        self,
        root: Root,
        now_s: Callable[[], float],
        *,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self._root = root
        self._system = root.system
        self._folder = root.path / STATE_FOLDER
        self._now_s = now_s
        self._link = link

    def find(self, run: str) -> LeaseRecord | None:
        """See ``Remote.find_lease``."""
        self._root.refuse_unmounted()
        return self._root.call(f"looking for the lease on {run}", partial(self._find, run))

    def claim(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """See ``Remote.claim_lease``."""
        self._root.refuse_unmounted()
        epoch = 1 if after is None else after.epoch + 1
        said = _write(self._now_s(), holder, who)
        return self._root.call(f"claiming {run}", partial(self._claim, run, epoch, holder, said))

    def renew(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """See ``Remote.renew_lease``."""
        self._check_mounted()
        renewed = self._root.call(
            f"renewing the lease on {record.run}", partial(self._renew, record, release=release)
        )
        # Nothing but order depends on it, and the next session tries again.
        with suppress(DrivesyncError):
            self._root.call("removing old leases", partial(self._prune, record))
        return renewed

    def next(self, record: LeaseRecord) -> LeaseRecord | None:
        """See ``Remote.next_lease``; of several that came after it the last."""
        self._check_mounted()
        action = f"looking at the lease on {record.run}"
        newest = self._root.call(action, partial(self._find, record.run))
        self._root.call(action, partial(self._system.stat, self._folder / record.id))
        return newest if newest is not None and newest.epoch > record.epoch else None

    def _find(self, run: str) -> LeaseRecord | None:
        for epoch in reversed(self._epochs(run)):
            # What was listed may be removed by now; the last one never is.
            with suppress(FileNotFoundError):
                return self._read(run, epoch)
        return None

    def _claim(self, run: str, epoch: int, holder: str, said: bytes) -> LeaseRecord | None:
        self._system.make_folder(self._folder)
        place = self._folder / _name(run, epoch)
        try:
            self._make(place, said)
        except FileExistsError:
            # Perhaps an earlier try of ours made it, and was answered by an error.
            with suppress(FileNotFoundError):
                taken = self._read(run, epoch)
                return taken if taken.holder == holder else None
            return None
        if any(later > epoch for later in self._epochs(run)):
            self._system.remove(place)
            return None
        return self._read(run, epoch)

    def _make(self, place: Path, said: bytes) -> None:
        """Have a new file at ``place``; FileExistsError if there is one."""
        part = self._folder / f".drivesync-lease-{secrets.token_hex(4)}.part"
        try:
            self._fill(part, os.O_CREAT | os.O_EXCL, said)
            try:
                self._link(part, place)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._fill(place, os.O_CREAT | os.O_EXCL, said)
        finally:
            with suppress(OSError):
                self._system.remove(part)
        sync_folder(self._system, self._folder)

    def _fill(self, place: Path, flags: int, said: bytes) -> None:
        descriptor = self._system.open(place, os.O_WRONLY | flags)
        try:
            self._system.write(descriptor, said)
            self._system.fsync(descriptor)
        finally:
            self._system.close(descriptor)

    def _renew(self, record: LeaseRecord, *, release: bool) -> LeaseRecord:
        place = self._folder / record.id
        said = _write(record.since_s, record.holder, record.who, released=release or record.released)
        self._fill(place, 0, said)
        return self._read(record.run, record.epoch)

    def _prune(self, record: LeaseRecord) -> None:
        for epoch in self._epochs(record.run):
            if epoch < record.epoch - _KEPT:
                self._system.remove(self._folder / _name(record.run, epoch))

    def _epochs(self, run: str) -> list[int]:
        """Of all turns whose files are there, in order."""
        pattern = re.compile(rf"lease-{re.escape(lease_key(run))}-([0-9]+)\.json")
        try:
            names = self._system.names(self._folder)
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))

    def _read(self, run: str, epoch: int) -> LeaseRecord:
        name = _name(run, epoch)
        descriptor = self._system.open(self._folder / name, os.O_RDONLY)
        try:
            text = self._system.read(descriptor, _MOST_BYTES, 0)
        finally:
            self._system.close(descriptor)
        heard_s = self._system.stat(self._folder / name).st_mtime_ns / 1e9
        said = _parse(text)
        since_s = float(said.get("since", heard_s))
        return LeaseRecord(
            run=run,
            epoch=epoch,
            id=name,
            next_id=_name(run, epoch + 1),
            holder=str(said.get("holder", "")),
            who=str(said.get("who", _UNKNOWN)),
            since_s=since_s,
            renewed_s=max(since_s, heard_s),
            released=bool(said.get("released", False)),
        )

    def _check_mounted(self) -> None:
        """A record that does not show since its disk is away is not gone.

        Raises:
            TransientError: it is away: nothing at all is in the tree's folder, or there is no such folder.
        """
        action = f"looking at {self._root.path}"
        try:
            self._root.refuse_unmounted()
            if self._root.call(action, partial(self._system.names, self._root.path)):
                return
        except NotFoundError as error:
            raise TransientError(str(error), hint=error.hint or self._root.hint) from error
        raise TransientError(f"{action}: it is empty", hint=self._root.hint)


def _name(run: str, epoch: int) -> str:
    return f"lease-{lease_key(run)}-{epoch}.json"


def _write(since_s: float, holder: str, who: str, *, released: bool = False) -> bytes:
    """A record's text, as long for a released one."""
    said = {"since": since_s, "holder": holder, "who": who[:_WHO_LETTERS], "released": released}
    text = json.dumps(said)
    return f"{text}{' ' * released}\n".encode()


def _parse(text: bytes) -> dict[str, Any]:
    """What a record says; nothing where it was not written to its end."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}

"""How far a checkpoint is that lies on the remote, and of which no record says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.disk import hash_stream, local_errors, make_state_folder
from drivesync.errors import DamagedError
from drivesync.pushing.standing import UNKNOWN, Standing
from drivesync.spooling.receipts import read_receipts

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote

_FETCHED = "fetched.tmp"


class Inspection:
    """Looks into what lies on one remote, once into each content; used by one thread.

    Args:
        tree: whose receipts tell what was pushed from here.
        remote: entered.
        accept: judges what was fetched.
    """

    def __init__(self, tree: Path, remote: Remote, accept: Accept) -> None:
        self._tree = tree
        self._remote = remote
        self._accept = accept
        self._known: dict[tuple[str, str], Standing] = {}

    def look_into(self, path: str, there: RemoteFile) -> Standing:
        """How far the checkpoint is that is ``there``; unknown if it is none.

        What was pushed from here is told by its receipt. Of what was uploaded by hand, or pushed by an earlier version,
        which did not note the progress, only the content can say, so it is fetched once and judged as any other, but
        for its score: the judge's is this session's. What the judge does not take is as far as its receipt says.

        Raises:
            DamagedError: it came damaged.
            DrivesyncError: it cannot be fetched.
        """
        key = there.id, there.md5
        if key not in self._known:
            told = self._find_told(path, there)
            if told is None or (told.iteration is not None and told.progress is None):
                found = self._fetch_and_judge(path, there)
                told = told if told is not None and found == UNKNOWN else found
            self._known[key] = told
        return self._known[key]

    def _find_told(self, path: str, there: RemoteFile) -> Standing | None:
        told = [
            Standing(receipt.iteration, progress=receipt.progress)
            for receipt in read_receipts(self._tree)
            if (receipt.path, receipt.md5) == (path, there.md5)
        ]
        return told[-1] if told else None

    def _fetch_and_judge(self, path: str, there: RemoteFile) -> Standing:
        place = make_state_folder(self._tree) / _FETCHED
        with local_errors(place):
            try:
                with place.open("wb") as file:
                    self._remote.read(there, _ToFile(file))
                with place.open("rb") as fetched:
                    arrived = hash_stream(fetched)
                if arrived.md5 != there.md5:
                    raise DamagedError(f"what the remote has as {path} came damaged")
                verdict = self._accept(self._tree, path, place)
            finally:
                place.unlink(missing_ok=True)
        return Standing(verdict.iteration, progress=verdict.progress) if verdict.accepted else UNKNOWN


class _ToFile:
    """A sink."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        self._file.write(block)

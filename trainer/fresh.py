"""Starting a run over: what there is of it goes to ``backup/archive-<date>/`` first, on the remote and here.

    backup/remote_fresh.json   each time that the run ``backup/remote`` was started over, on the remote;
                               it comes here with a pull, and is not looked at here
    .trainer/fresh.json        which of them this tree has taken part in

A start has a name, and takes place once: whoever leaves ``--fresh`` in a notebook's cell does not lose his progress to
the archive each time the cell is run again. The order makes every step repeatable: the start is written down on the
remote with its folder, the files are moved there one by one, it is written down as complete; then the same here. Cut
anywhere, the next session of the run, with ``--fresh`` or without, goes on with the same start and the same folder.
Whoever does this holds the run's lease.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, local_errors, write_atomically
from drivesync.errors import DamagedError, NotFoundError
from drivesync.files import STATE_FOLDER, RemoteFile
from drivesync.spooling.spool import Spool, read_receipts
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.darknet.weights import name_of
from trainer.errors import TreeError
from trainer.score import forget_best

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_HERE = ".trainer/fresh.json"
_ASIDE = ".rejected"


@dataclass(frozen=True, slots=True)
class Start:
    """One time that a run was started over.

    Attributes:
        name: what the user called it.
        archive: where the older files go, relative to the tree.
        complete: all of them are there, on the remote.
    """

    name: str
    archive: str
    complete: bool = False


class StartingOver:
    """Starts a run over; without a remote, in the tree alone.

    Args:
        tree: the local tree.
        run: as drivesync calls it: folder and beginning of the names.
        remote: entered; its lease is held. None where nothing is pushed.
        reporter: hears what is done.
        clock: Unix time in seconds; gives the archive its name.
    """

    def __init__(
        self,
        tree: Path,
        run: str,
        remote: Remote | None,
        reporter: Reporter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tree = tree
        self._run = run
        self._folder, self._base = str(PurePosixPath(run).parent), PurePosixPath(run).name
        self._remote = remote
        self._reporter = reporter
        self._clock = clock

    def catch_up(self, name: str, save: Callable[[], None]) -> None:
        """Start the run over under ``name``, if that has not been done; and finish what was begun and cut short.

        Args:
            name: of the start; empty for none.
            save: sees that the remote holds what is only here, before it is archived there.

        Raises:
            LocalWriteError: the disk cannot take it.
            DrivesyncError: see ``Remote``; a rerun goes on.
        """
        here = self._read_here()
        starts = (here or ()) if self._remote is None else self._read_remote(self._remote)
        if here is None:
            # No session has been in this tree yet: what it holds of the run is what a pull brought after these.
            here = tuple(start for start in starts if start.complete)
            self._write_here(here)
        at = next((start.archive for start in starts if start.name == name), "")
        if at:
            self._reporter.note(
                f"the run was started over as {name!r} already, and goes on; what was there before lies in {at}. "
                "To start over once more, name another start with --fresh-as"
            )
        elif name:
            save()
            starts = (*starts, Start(name, self._new_archive()))
            self._write_remote(starts)
        # No more than one is ever incomplete: a session begins by completing what another has begun.
        if begun := next((start for start in starts if not start.complete), None):
            self._archive_remote(begun.archive)
            starts = tuple(replace(start, complete=True) for start in starts)
            self._write_remote(starts)
        known = {start.archive for start in here}
        if missed := next((start for start in starts if start.archive not in known), None):
            # Whatever lies here is older than the first of them.
            self._archive_here(missed.archive)
            self._write_here(starts)

    def _new_archive(self) -> str:
        stamp = f"archive-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self._clock()))}"
        taken = {path.name for path in (self._tree / self._folder).glob("archive-*")}
        taken |= {path.name for file in self._list_remote() for path in PurePosixPath(file.path).parents}
        return f"{self._folder}/{_find_free(stamp, taken)}"

    def _archive_remote(self, archive: str) -> None:
        if self._remote is None:
            return
        files = self._list_remote()
        taken = {name for file in files if (name := _name_in(archive, file.path))}
        moved = 0
        for file in files:
            # A folder may hold several of one name, on Drive; each is moved.
            if (name := _name_in(self._folder, file.path)) and self._is_ours(name):
                there = _find_free(name, taken)
                taken.add(there)
                self._remote.move(file, f"{archive}/{there}")
                moved += 1
        self._reporter.note(
            f"starting over: moved {moved} file(s) of {self._run} to {archive} on {self._remote.name}"
        )

    def _list_remote(self) -> list[RemoteFile]:
        """The remote's files in the run's folder, those in archives included."""
        found: list[RemoteFile] = []
        if self._remote is not None:
            # There may be no such folder yet.
            with suppress(NotFoundError):
                for page in self._remote.list():
                    found += (entry for entry in page.entries if isinstance(entry, RemoteFile))
        return [file for file in found if file.path.startswith(f"{self._folder}/")]

    def _archive_here(self, archive: str) -> None:
        place, backup = self._tree / archive, self._tree / self._folder
        here = (
            sorted(path for path in backup.iterdir() if self._is_ours(path.name)) if backup.is_dir() else []
        )
        taken = {path.name for path in place.iterdir()} if place.is_dir() else set()
        with ExitStack() as stack, local_errors(place):
            if (self._tree / STATE_FOLDER / "spool").is_dir():
                stack.enter_context(spool := Spool(self._tree))
                for entry in spool.entries():
                    if entry.run == self._run:
                        snapshot = spool.place_of(entry)
                        # Without its snapshot the spool forgets an entry; what was pushed lies in the remote's archive.
                        if entry.pushed:
                            snapshot.unlink()
                        else:
                            here.append(snapshot)
                self._forget_receipts()
            for path in here:
                place.mkdir(parents=True, exist_ok=True)
                there = place / _find_free(path.name, taken)
                taken.add(there.name)
                path.replace(there)
        for folder in (place, backup):
            fsync_folder(folder)
        forget_best(self._tree)

    def _forget_receipts(self) -> None:
        """What they prove lies under other names now, and must not be missed under these."""
        receipts = read_receipts(self._tree)
        rest = [receipt for receipt in receipts if receipt.run != self._run]
        if len(rest) < len(receipts):
            lines = b"".join(json.dumps(asdict(receipt)).encode() + b"\n" for receipt in rest)
            write_atomically(self._tree / STATE_FOLDER / "receipts.jsonl", lines)

    def _is_ours(self, name: str) -> bool:
        parsed = name_of(name.removesuffix(_ASIDE))
        return name in {METRICS_NAME, CHART_NAME} or (parsed is not None and parsed.base == self._base)

    def _read_here(self) -> tuple[Start, ...] | None:
        try:
            said = json.loads((self._tree / _HERE).read_bytes())
            return _from_json(said[self._run]) if self._run in said else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _write_here(self, starts: tuple[Start, ...]) -> None:
        path = self._tree / _HERE
        try:
            said = json.loads(path.read_bytes())
        except (OSError, ValueError):
            said = {}
        said[self._run] = [asdict(start) for start in starts]
        with local_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(said).encode() + b"\n")

    @property
    def _there(self) -> str:
        return f"{self._run}_fresh.json"

    def _read_remote(self, remote: Remote) -> tuple[Start, ...]:
        try:
            file = remote.find(self._there)
        except NotFoundError:
            return ()
        if file is None:
            return ()
        try:
            return _from_json(json.loads(read_whole(remote, file)))
        except (ValueError, TypeError, KeyError) as error:
            raise TreeError(
                f"{self._there} on {remote.name} does not say how often the run was started over",
                hint="Delete it there, if nobody has started the run over.",
            ) from error

    def _write_remote(self, starts: tuple[Start, ...]) -> None:
        if self._remote is None:
            return
        content = json.dumps([asdict(start) for start in starts]).encode() + b"\n"
        landed = self._remote.write(
            self._there,
            io.BytesIO(content),
            size=len(content),
            modified_s=self._clock(),
            properties={},
            executable=False,
            replaces=self._remote.find(self._there),
        )
        if landed.md5 not in {"", hashlib.md5(content, usedforsecurity=False).hexdigest()}:
            raise DamagedError(f"{self._there} is not on {self._remote.name} as it was sent")


def read_whole(remote: Remote, file: RemoteFile) -> bytes:
    """The content of a small file.

    Raises:
        DrivesyncError: see ``Remote.read``.
    """
    blocks = _Blocks()
    remote.read(file, blocks)
    return b"".join(blocks.all)


class _Blocks:
    def __init__(self) -> None:
        self.all: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.all.append(block)


def _from_json(said: list[dict[str, object]]) -> tuple[Start, ...]:
    return tuple(
        Start(str(one["name"]), str(one["archive"]), complete=one["complete"] is True) for one in said
    )


def _name_in(folder: str, path: str) -> str:
    """The file's name if it lies in ``folder`` itself; else empty."""
    parent, _, name = path.rpartition("/")
    return name if parent == folder else ""


def _find_free(name: str, taken: Collection[str]) -> str:
    """``name``, or with a number before its ending where that is taken."""
    path = PurePosixPath(name)
    numbered = (f"{path.stem}-{number}{path.suffix}" for number in itertools.count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)

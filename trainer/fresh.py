"""Starting a run over: what there is of it goes to ``backup/archive-<date>/`` first, on the remote and here.

A start has a name, and takes place once: whoever leaves ``--fresh`` in a notebook's cell does not lose his progress to
the archive each time the cell is run again. The order makes every step repeatable: the start is written down on the
remote with its folder, the files are moved there one by one, it is written down as complete; then the same here. Cut
anywhere, the next session of the run, with ``--fresh`` or without, goes on with the same start and the same folder.
Whoever does this holds the run's lease. What was started over without the remote is carried out there by the first
session that has it. Where another machine has started the run over meanwhile, the later of both starts counts.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, local_errors, write_atomically
from drivesync.errors import DamagedError, NotFoundError
from drivesync.files import STATE_FOLDER, RemoteFile
from drivesync.spooling.receipts import read_receipts
from drivesync.spooling.spool import Spool
from trainer.score import forget_best
from trainer.starts import (
    Start,
    find_known,
    find_missing,
    find_owed,
    is_of_run,
    make_record,
    name_archive,
    name_record,
    parse_record,
    read_here,
    write_here,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote


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
        starts = self._bring_together()
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
            self._carry_out(starts)

    def _bring_together(self) -> tuple[Start, ...]:
        """All starts that the remote or this tree knows of, each of them carried out on both sides."""
        there = () if self._remote is None else self._read_remote(self._remote)
        here = find_known(self._tree, self._run, there)
        if read_here(self._tree, self._run) is None:
            write_here(self._tree, self._run, here)
        if self._remote is None:
            return here
        if owed := find_owed(here, there):
            if _newest_s(owed) >= _newest_s(find_missing(there, here)):
                # What lies here came after all of them. Known before it is told: else it would be moved away as well.
                write_here(self._tree, self._run, (*there, *owed))
            else:
                # What the remote holds did.
                owed = [replace(start, complete=True) for start in owed]
            self._write_remote((*there, *owed))
        return self._carry_out((*there, *owed))

    def _carry_out(self, starts: tuple[Start, ...]) -> tuple[Start, ...]:
        """See that no file is in its old place any more, on either side; ``starts`` as they are then."""
        begun = next((start for start in starts if not start.complete), None)
        if begun is not None and self._remote is not None:
            # Whatever lies there is older than the first of them.
            self._archive_remote(self._remote, begun.archive)
            starts = tuple(replace(start, complete=True) for start in starts)
            self._write_remote(starts)
        here = read_here(self._tree, self._run) or ()
        if missed := find_missing(starts, here):
            self._archive_here(missed[0].archive)
        if here != starts:
            write_here(self._tree, self._run, starts)
        return starts

    def _new_archive(self) -> str:
        stamp = name_archive(self._clock())
        taken = {path.name for path in (self._tree / self._folder).glob("archive-*")}
        taken |= {path.name for file in self._list_remote() for path in PurePosixPath(file.path).parents}
        return f"{self._folder}/{_find_free(stamp, taken)}"

    def _archive_remote(self, remote: Remote, archive: str) -> None:
        files = self._list_remote()
        taken = {name for file in files if (name := _name_in(archive, file.path))}
        moved = 0
        for file in files:
            # A folder may hold several of one name, on Drive; each is moved.
            if (name := _name_in(self._folder, file.path)) and is_of_run(name, self._base):
                there = _find_free(name, taken)
                taken.add(there)
                remote.move(file, f"{archive}/{there}")
                moved += 1
        self._reporter.note(
            f"starting over: moved {moved} file(s) of {self._run} to {archive} on {remote.name}"
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
            sorted(path for path in backup.iterdir() if is_of_run(path.name, self._base))
            if backup.is_dir()
            else []
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
        if here:
            self._reporter.note(f"starting over: moved {len(here)} file(s) of {self._run} to {archive} here")

    def _forget_receipts(self) -> None:
        """What they prove lies under other names now, and must not be missed under these."""
        receipts = read_receipts(self._tree)
        rest = [receipt for receipt in receipts if receipt.run != self._run]
        if len(rest) < len(receipts):
            lines = b"".join(json.dumps(asdict(receipt)).encode() + b"\n" for receipt in rest)
            write_atomically(self._tree / STATE_FOLDER / "receipts.jsonl", lines)

    def _read_remote(self, remote: Remote) -> tuple[Start, ...]:
        path = name_record(self._run)
        try:
            file = remote.find(path)
        except NotFoundError:
            return ()
        return () if file is None else parse_record(read_whole(remote, file), f"{path} on {remote.name}")

    def _write_remote(self, starts: tuple[Start, ...]) -> None:
        if self._remote is None:
            return
        path, content = name_record(self._run), make_record(starts)
        landed = self._remote.write(
            path,
            io.BytesIO(content),
            size=len(content),
            modified_s=self._clock(),
            properties={},
            executable=False,
            replaces=self._remote.find(path),
        )
        if landed.md5 not in {"", hashlib.md5(content, usedforsecurity=False).hexdigest()}:
            raise DamagedError(f"{path} is not on {self._remote.name} as it was sent")


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


def _newest_s(starts: Iterable[Start]) -> float:
    """When the last of them was, in Unix time; minus infinity for none."""
    return max((start.at_s for start in starts), default=-math.inf)


def _name_in(folder: str, path: str) -> str:
    """The file's name if it lies in ``folder`` itself; else empty."""
    parent, _, name = path.rpartition("/")
    return name if parent == folder else ""


def _find_free(name: str, taken: Collection[str]) -> str:
    """``name``, or with a number before its ending where that is taken."""
    path = PurePosixPath(name)
    numbered = (f"{path.stem}-{number}{path.suffix}" for number in itertools.count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)

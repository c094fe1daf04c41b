"""Offering: a file of the tree is taken for the remote once, as it is, if it is whole and not there already."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import is_same, look
from drivesync.files import refuse_path, spell_path
from drivesync.spooling.outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.files import LocalFile, Verdict
    from drivesync.index import Index
    from drivesync.progress import Reporter
    from drivesync.pushing.summing import Summing
    from drivesync.spooling.entries import Entry
    from drivesync.spooling.spool import Spool


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The remote holds the file as it is, or did until it was one too many; nothing was copied."""

    path: str


class Offering:
    """Takes what is offered into the spool; ``offer`` may be called from any thread.

    Args:
        tree: the local tree.
        remote: the name of what it is taken for.
        spool: takes the snapshots.
        index: knows what the remote holds.
        is_trimmed: whether such a file was deleted there to make room.
        summing: begins with a snapshot that is the next to be sent.
        accept: judges each snapshot.
        reporter: hears what is not taken, and why.
    """

    def __init__(
        self,
        tree: Path,
        remote: str,
        spool: Spool,
        index: Index,
        summing: Summing,
        accept: Accept,
        reporter: Reporter,
        is_trimmed: Callable[[LocalFile], bool],
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._spool = spool
        self._index = index
        self._is_trimmed = is_trimmed
        self._summing = summing
        self._accept = accept
        self._reporter = reporter
        self._offering = threading.Lock()
        self._refused: dict[str, LocalFile] = {}
        self._misnamed: set[str] = set()

    def offer(self, path: str, *, trust_index: bool = True) -> Entry | Refused | Unchanged:
        """Take a snapshot of ``path`` if the remote is not known to hold it as it is.

        Args:
            path: relative to the tree.
            trust_index: False takes the snapshot, so that ``push_next`` asks the remote itself.

        Raises:
            LocalWriteError: the disk cannot take the snapshot.
        """
        if reason := refuse_path(path):
            return self._refuse_path(path, reason)
        # The watch and a supervisor may offer the same file at the same moment.
        with self._offering:
            here = look(self._tree, path)
            if here is None:
                return Refused(path, "it is gone", moved=True)
            if trust_index and self._is_settled(here):
                return Unchanged(path)
            if any(is_same(here, entry.source) for entry in self._spool.pending() if entry.path == path):
                return Unchanged(path)
            if self._refused.get(path) == here:
                return Refused(path, "it is as it was when it was refused", moved=True, again=True)
            outcome = self._spool.take(path, self._judge)
            if isinstance(outcome, Refused):
                if not self._spool.pending():
                    self._summing.forget()
                if not outcome.moved:
                    self._refused[path] = here
                    kept = f"; a copy is kept as {outcome.kept}" if outcome.kept else ""
                    self._reporter.note(f"not pushed: {path}: {outcome.reason}{kept}")
            elif outcome.direct:
                self._reporter.note(
                    f"no room on this disk for a copy of {path}: it is sent as it lies there, if nothing writes to it"
                )
            return outcome

    def refuse(self, source: LocalFile) -> None:
        """A file as it was when it was taken is not to be offered again; once it is saved anew it is another one."""
        self._refused[source.path] = source

    def allow(self, path: str) -> None:
        """It may be offered again as it is."""
        self._refused.pop(path, None)

    def _refuse_path(self, path: str, reason: str) -> Refused:
        """No file of this path can be pushed, whatever is in it: told once."""
        spelled = spell_path(path)
        is_known = spelled in self._misnamed
        if not is_known:
            self._misnamed.add(spelled)
            self._reporter.note(f"not pushed: {spelled}: {reason}")
        return Refused(spelled, reason, again=is_known)

    def _is_settled(self, here: LocalFile) -> bool:
        """Whether this remote, and not another, is known to hold it; or is to do without it."""
        known = self._index.find(here.path)
        if known is None or not is_same(here, known):
            return False
        return known.remote == self._remote or self._is_trimmed(known)

    def _judge(self, tree: Path, path: str, snapshot: Path) -> Verdict:
        """As ``accept`` does, while a snapshot that is the next to be sent is hashed."""
        if not self._spool.pending():
            if snapshot == tree / path:
                # There was no room for a copy: what was hashed has to go at once.
                self._summing.forget()
            else:
                self._summing.begin(snapshot)
        return self._accept(tree, path, snapshot)

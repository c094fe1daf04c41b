"""Push: everything in a tree that matches, and return when all of it is safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import DamagedError, LeaseError, RemoteFullError, UnfinishedError
from drivesync.files import STATE_FOLDER
from drivesync.pushing.landing import Outdone
from drivesync.pushing.offering import Unchanged
from drivesync.pushing.pusher import Pushed, Pusher
from drivesync.spooling.outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["Outdone", "PushResult", "Pushed", "Pusher", "Refused", "Unchanged", "find_files", "push"]


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did; every tuple in the order in which it happened."""

    pushed: tuple[Pushed, ...]
    refused: tuple[Refused, ...]
    outdone: tuple[Outdone, ...] = ()

    def raise_failure(self) -> None:
        """Raise the worst of what was not sent, if anything was not: a damaged file before one in use.

        That the remote has a better one is no failure.
        """
        if self.refused:
            worst = min(self.refused, key=lambda refused: refused.moved)
            said = f"{len(self.refused)} file(s) were not sent; {worst.path}: {worst.reason}"
            if worst.moved:
                raise UnfinishedError(said, hint="Run the same command again when nothing writes to it.")
            raise DamagedError(said, hint="What Drive holds under that name is as it was.")


def find_files(tree: Path, patterns: Iterable[str]) -> list[str]:
    """The tree's files that match one of ``patterns``, as sorted POSIX paths; none of drivesync's own."""
    # Before Python 3.13 two stars at the end found folders only.
    spelled = (f"{pattern}/*" if pattern.endswith("**") else pattern for pattern in patterns)
    found = {match for pattern in spelled for match in tree.glob(pattern) if match.is_file()}
    paths = (match.relative_to(tree) for match in found)
    return sorted(path.as_posix() for path in paths if path.parts[0] != STATE_FOLDER)


def push(pusher: Pusher, tree: Path, patterns: Sequence[str]) -> PushResult:
    """Push every file that matches, and what an earlier process left in the spool, and return when all is safe.

    What belongs to a run that another session has, and what the remote has no room for, is passed over, and raised
    at the end.

    Raises:
        UnfinishedError: another process pushes from this tree.
        DrivesyncError: see ``Pusher``; what was pushed before it is safe, and a rerun goes on.
    """
    refused: list[Refused] = []
    done: list[Pushed] = []
    outdone: list[Outdone] = []
    failed: list[LeaseError | RemoteFullError] = []
    with pusher:
        # One file at a time, so that the spool never needs room for all of them.
        for path in [*find_files(tree, patterns), None]:
            if path is not None:
                outcome = pusher.offer(path, trust_index=False)
                if isinstance(outcome, Refused):
                    refused.append(outcome)
            while pusher.may_push(pusher.full_bytes):
                try:
                    landed = pusher.push_next(below_bytes=pusher.full_bytes)
                except (LeaseError, RemoteFullError) as error:
                    failed.append(error)
                    continue
                if isinstance(landed, Pushed):
                    done.append(landed)
                elif landed is not None:
                    outdone.append(landed)
        if failed:
            raise failed[0]
    return PushResult(tuple(done), tuple(refused), tuple(outdone))

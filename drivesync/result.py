"""What a transfer of a whole tree did, in either direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from drivesync.errors import DamagedError, DrivesyncError

if TYPE_CHECKING:
    from drivesync.files import Skipped
    from drivesync.remotes.base import Remote
    from drivesync.remotes.usage import Spent


@dataclass(slots=True)
class TransferResult:
    """What both directions tell.

    Attributes:
        planned_files: files that were to be moved.
        planned_bytes: their size.
        kept_files: files that were there already, and the same.
        conflicts: paths of files that differ on both sides, and were left so.
        skipped: what cannot be moved as a file, with the reason.
        failed: files that did not get there, each with its error; all others did.
        usage: requests and quota units by kind.
        retries: requests that had to be repeated.
        seconds: how long it took.
    """

    FAILED: ClassVar[str] = "did not arrive"
    """What is said of files that failed, after "3 file(s) "."""

    planned_files: int = 0
    planned_bytes: int = 0
    kept_files: int = 0
    conflicts: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    failed: list[tuple[str, DrivesyncError]] = field(default_factory=list)
    usage: dict[str, Spent] = field(default_factory=dict)
    retries: int = 0
    seconds: float = 0.0

    def close(self, remote: Remote, seconds: float) -> None:
        """Note what it has cost, and bring all in order."""
        self.usage, self.retries, self.seconds = remote.usage.by_kind, remote.usage.retries, seconds
        for paths in self._paths():
            paths.sort()
        self.skipped.sort(key=lambda entry: entry.path)
        self.failed.sort(key=lambda entry: entry[0])

    def raise_failure(self) -> None:
        """Raise the worst of what failed, if anything did: damaged data before all else."""
        if self.failed:
            path, error = min(self.failed, key=lambda entry: not isinstance(entry[1], DamagedError))
            raise type(error)(
                f"{len(self.failed)} file(s) {self.FAILED}; the first is {path}: {error}", hint=error.hint
            )

    def _paths(self) -> tuple[list[str], ...]:
        """Every list of paths."""
        return (self.conflicts,)

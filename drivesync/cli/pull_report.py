"""What there is to tell of a pull, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click
from rich.filesize import decimal as format_size

from drivesync.cli.arguments import is_drive
from drivesync.cli.running import INTERRUPTED, STOPPED
from drivesync.cli.unpack_report import describe_unpacked, print_unpacked
from drivesync.cli.words import count, describe_skipped, describe_usage, print_skipped, print_some
from drivesync.errors import DrivesyncError
from drivesync.pull import NAMED_FAILURES, PullResult
from drivesync.pulling.pieces import plan_pieces
from drivesync.remotes.usage import units_of
from drivesync.tally import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.files import RemoteFile
    from drivesync.pulling.manifest import Member, Pack
    from drivesync.pulling.plan import PullOptions, PullPlan

_UNITS_A_MINUTE: Final = 325_000
"""Of a project that was made since May 2026: https://developers.google.com/workspace/drive/api/guides/limits"""
_SHOWN: Final = 20


@dataclass
class Pulled:
    """A pull, and how it went.

    Attributes:
        tree, remote, options: of the pull.
        result: of the pull, up to the error if one ended it.
        files: what a dry run would fetch.
        packed: of these, what comes out of packs: by the pack's name, it and what is wanted of it.
        unlabelled: label files that images lack, if that was asked.
        labels_made: how many of them were made; None where none was to be.
        error: what ended it.
    """

    tree: Path
    remote: str
    options: PullOptions
    result: PullResult = field(default_factory=PullResult)
    files: list[RemoteFile] = field(default_factory=list)
    packed: dict[str, tuple[Pack, list[Member]]] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    labels_made: int | None = None
    error: DrivesyncError | KeyboardInterrupt | None = None

    def add_plan(self, plan: PullPlan) -> None:
        """Another part of what is to be done; a real pull may be of more files than should be kept in mind."""
        if self.options.dry_run:
            self.files += plan.download
            for one in plan.packed:
                self.packed.setdefault(one.pack.name, (one.pack, []))[1].append(one.member)

    @property
    def packed_files(self) -> int:
        """How many files a dry run would bring out of packs."""
        return sum(len(members) for _pack, members in self.packed.values())

    @property
    def expected_s(self) -> float | None:
        """How long Drive's quota makes the downloads take; None where there is none."""
        if not is_drive(self.remote):
            return None
        singly = self.result.planned_files - self.packed_files
        pieces = sum(len(plan_pieces(pack, members)) for pack, members in self.packed.values())
        return (singly + pieces) * units_of("download") * 60.0 / _UNITS_A_MINUTE

    def raise_failure(self) -> None:
        """Raise what ended it, or else the worst of what did not arrive."""
        if self.error is not None:
            raise self.error
        self.result.raise_failure()


def describe_pulled(pulled: Pulled) -> dict[str, Any]:
    """All of it."""
    result = pulled.result
    said: dict[str, Any] = {
        "tree": str(pulled.tree),
        "remote": pulled.remote,
        "dry_run": pulled.options.dry_run,
        "planned": {"files": result.planned_files, "bytes": result.planned_bytes},
        "downloaded": {"files": result.downloaded_files, "bytes": result.downloaded_bytes},
        "packed_files": result.packed_files,
        "kept": result.kept_files,
        "unpacked": describe_unpacked(result.unpacked),
        "conflicts": result.conflicts,
        "left": result.left,
        "skipped": describe_skipped(result.skipped),
        "failed": [{"path": path, "error": str(error)} for path, error in result.failed],
        "without_label": list(pulled.unlabelled),
        "labels_made": pulled.labels_made or 0,
        **describe_usage(result.usage, result.retries),
        "seconds": round(result.seconds, 3),
        **_describe_failure(pulled),
    }
    if pulled.options.dry_run:
        said["files"] = [{"path": file.path, "bytes": file.size} for file in _in_order(pulled.files)]
        said["expected_packed"] = {"files": pulled.packed_files, "packs": len(pulled.packed)}
        said["expected_seconds"] = pulled.expected_s
    return said


def _describe_failure(pulled: Pulled) -> dict[str, Any]:
    try:
        pulled.raise_failure()
    except DrivesyncError as error:
        return {"status": error.exit_code, "error": str(error)}
    except KeyboardInterrupt:
        return {"status": INTERRUPTED, "error": STOPPED}
    return {"status": 0, "error": ""}


def print_pulled(pulled: Pulled) -> None:
    """What people want to know of a pull that was not ended by an error."""
    result = pulled.result
    if pulled.options.dry_run:
        _print_plan(pulled)
    else:
        click.echo(
            f"pull: {count(result.downloaded_files, 'file')} ({format_size(result.downloaded_bytes)}) came to "
            f"{pulled.tree} in {result.seconds:.1f} s, {result.kept_files:,} were there already"
        )
        if result.packed_files:
            click.echo(f"{count(result.packed_files, 'file')} of these came out of packs")
    print_unpacked(result.unpacked, dry_run=pulled.options.dry_run)
    print_conflicts(result)
    print_left(result, pulled.remote)
    print_skipped(result.skipped)
    if (unnamed := len(result.failed) - NAMED_FAILURES) > 0:
        click.echo(f"{count(unnamed, 'file')} more did not arrive (--json lists all)")
    _print_labels(pulled)


def print_conflicts(result: PullResult) -> None:
    """What was changed here."""
    print_some(
        f"{count(len(result.conflicts), 'file')} changed here, kept; --theirs overwrites", result.conflicts
    )


def print_left(result: PullResult, remote: str) -> None:
    """In one line how many old checkpoints do not come."""
    if result.left:
        stay = "stays" if len(result.left) == 1 else "stay"
        where = "on Drive" if is_drive(remote) else "there"
        click.echo(
            f"{count(len(result.left), 'old checkpoint')} {stay} {where} (--all-checkpoints brings them)"
        )


def print_expected(pulled: Pulled) -> None:
    """What would come, and how long that takes at least."""
    result = pulled.result
    click.echo(
        f"pull would bring {count(result.planned_files, 'file')} ({format_size(result.planned_bytes)}) to "
        f"{pulled.tree}, {result.kept_files:,} are there already"
    )
    if pulled.packed:
        singly = result.planned_files - pulled.packed_files
        click.echo(
            f"{count(pulled.packed_files, 'file')} out of {count(len(pulled.packed), 'pack')}, {singly:,} one by one"
        )
    if pulled.expected_s is not None and (pulled.expected_s >= 1.0 or pulled.packed):
        takes = (
            f"{format_duration(pulled.expected_s)} at least" if pulled.expected_s >= 1.0 else "under a second"
        )
        click.echo(f"by the quota of a new Drive project that takes {takes}")


def _print_plan(pulled: Pulled) -> None:
    print_expected(pulled)
    print_some(
        "to come",
        [f"{format_size(file.size):>9}  {file.path}" for file in _in_order(pulled.files)],
        _SHOWN,
    )


def _print_labels(pulled: Pulled) -> None:
    if pulled.labels_made is not None:
        click.echo(f"{count(pulled.labels_made, 'empty label file')} made")
    elif pulled.unlabelled:
        have = "image has" if len(pulled.unlabelled) == 1 else "images have"
        print_some(
            f"{len(pulled.unlabelled):,} {have} no label file; --empty-labels makes empty ones",
            pulled.unlabelled,
        )


def _in_order(files: list[RemoteFile]) -> list[RemoteFile]:
    return sorted(files, key=lambda file: file.path)

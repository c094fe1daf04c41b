"""What there is to tell of a ``push --all``, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.cli.running import INTERRUPTED, STOPPED
from drivesync.cli.words import count, describe_usage, print_skipped, print_some
from drivesync.errors import DrivesyncError
from drivesync.mirror import NAMED_FAILURES, MirrorResult, push_all
from drivesync.mirroring.upload_plan import Standing
from drivesync.progress import printable
from drivesync.tally import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.mirror import UnpackedArchive
    from drivesync.mirroring.upload_plan import MirrorOptions, Upload, UploadPlan
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_SHOWN = 20


@dataclass
class Mirrored:
    """A ``push --all``, and how it went.

    Attributes:
        tree, remote, options: of the push.
        result: up to the error if one ended it.
        uploads: what a dry run would send.
        error: what ended it.
    """

    tree: Path
    remote: str
    options: MirrorOptions
    result: MirrorResult = field(default_factory=MirrorResult)
    uploads: list[Upload] = field(default_factory=list)
    error: DrivesyncError | KeyboardInterrupt | None = None

    def add_plan(self, plan: UploadPlan) -> None:
        """Another part of what is to be done; a real push may be of more files than should be kept in mind."""
        if self.options.dry_run:
            self.uploads += plan.upload

    def raise_failure(self) -> None:
        """Raise what ended it, or else the worst of what was not sent."""
        if self.error is not None:
            raise self.error
        self.result.raise_failure()

    def describe(self) -> dict[str, Any]:
        """All of it."""
        said: dict[str, Any] = {
            "tree": str(self.tree),
            "remote": self.remote,
            "dry_run": self.options.dry_run,
            **self.result.describe(),
            **describe_usage(self.result.usage, self.result.retries),
            **self._describe_failure(),
        }
        if self.options.dry_run:
            said["files"] = [{"path": upload.here.path, "bytes": upload.here.size} for upload in self.uploads]
        return said

    def print(self) -> None:
        """What people want to know, unless an error ended it."""
        if self.error is not None:
            return
        result = self.result
        if self.options.dry_run:
            self._print_plan()
        else:
            click.echo(
                f"push: {count(result.uploaded_files, 'file')} ({format_size(result.uploaded_bytes)}) sent to "
                f"{self.remote} in {result.seconds:.1f} s, {result.kept_files:,} were there already"
            )
        for _path, archive in sorted(result.unpacked.items()):
            if not archive.sent:
                click.echo(self._line_of(archive))
        print_some(
            f"{count(len(result.conflicts), 'file')} another there, kept; --ours overwrites", result.conflicts
        )
        print_some(f"{count(len(result.behind), 'file')} newer there: a pull brings them", result.behind)
        print_skipped(result.skipped)
        if (unnamed := len(result.failed) - NAMED_FAILURES) > 0:
            click.echo(f"{count(unnamed, 'file')} more were not sent (--json lists all)")

    def _print_plan(self) -> None:
        result = self.result
        click.echo(
            f"push would send {count(result.planned_files, 'file')} ({format_size(result.planned_bytes)}) to "
            f"{self.remote}, {result.kept_files:,} are there already"
        )
        if result.least_s >= 1.0:
            click.echo(f"by Drive's write rate that takes {format_duration(result.least_s)} at least")
        files = [upload.here for upload in self.uploads]
        print_some("to go", [f"{format_size(file.size):>9}  {file.path}" for file in files], _SHOWN)
        if result.apart:
            click.echo(
                f"and {count(len(result.apart), 'checkpoint')}, each unless it is there already, or behind"
            )

    def _line_of(self, archive: UnpackedArchive) -> str:
        path = printable(archive.path)
        files = (
            f"{count(archive.files, 'file')} ({format_size(archive.size_bytes)}) unpacked of {path} not sent"
        )
        if archive.standing is Standing.CHANGED:
            return f"{files}: what is in it now a pull has yet to bring; --ours sends them"
        how = "" if archive.path in self.options.unpack else f", and a pull brings them with --unpack {path}"
        return f"{files}: they are in it there{how}"

    def _describe_failure(self) -> dict[str, Any]:
        try:
            self.raise_failure()
        except DrivesyncError as error:
            return {"status": error.exit_code, "error": str(error)}
        except KeyboardInterrupt:
            return {"status": INTERRUPTED, "error": STOPPED}
        return {"status": 0, "error": ""}


def mirror(target: Remote, tree: Path, reporter: Reporter, options: MirrorOptions) -> Mirrored:
    """Push the whole tree, and return how it went, whatever that was."""
    mirrored = Mirrored(tree, target.name, options)
    try:
        push_all(
            target,
            tree,
            reporter=reporter,
            options=options,
            on_plan=mirrored.add_plan,
            result=mirrored.result,
        )
    except (DrivesyncError, KeyboardInterrupt) as error:
        mirrored.error = error
    return mirrored

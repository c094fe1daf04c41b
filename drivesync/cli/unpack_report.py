"""What there is to tell of archives that a pull unpacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.cli.words import count
from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivesync.unarchive.placing import Unpacked


def describe_unpacked(archives: Iterable[Unpacked]) -> list[dict[str, Any]]:
    """All of it but what is told of the whole pull: conflicts, what is left out, and what failed."""
    return [
        {
            "path": archive.path,
            "bytes": archive.size,
            "done": archive.is_done,
            "unpacked": {"files": archive.files, "bytes": archive.size_bytes},
            "kept": archive.kept_files,
            "junk": archive.junk_files,
        }
        for archive in archives
    ]


def print_unpacked(archives: Iterable[Unpacked], *, dry_run: bool) -> None:
    """A line for each archive, and one for what macOS had added to all."""
    archives = list(archives)
    for archive in archives:
        click.echo(_line_of(archive, dry_run=dry_run))
    if junk := sum(archive.junk_files for archive in archives):
        click.echo(f"{count(junk, 'file')} of macOS's own (__MACOSX, .DS_Store) left out")


def _line_of(archive: Unpacked, *, dry_run: bool) -> str:
    path = printable(archive.path)
    if dry_run and not archive.is_done:
        return f"{path} ({format_size(archive.size)}) would be unpacked"
    here = f"{archive.kept_files:,} were there already"
    came = (
        f"{count(archive.files, 'file')} ({format_size(archive.size_bytes)}) unpacked"
        if archive.files
        else ""
    )
    if archive.is_done:
        return f"{path}: {came or 'nothing new'}, {here}"
    return f"{path}: {came or 'nothing'} so far, {here}; it is not done"

"""``ls``: what a remote holds."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.browse import browse
from drivesync.cli.arguments import REMOTE, REMOTE_NAMES, settings, source_of
from drivesync.cli.running import interruptible
from drivesync.cli.words import count
from drivesync.config import default_tree
from drivesync.errors import NotFoundError
from drivesync.files import Skipped
from drivesync.progress import TerminalReporter, printable
from drivesync.remotes import open_remote

if TYPE_CHECKING:
    from drivesync.browse import Folder
    from drivesync.files import RemoteFile

_SIZE_COLUMNS = 9
_TIME_COLUMNS = 16


@click.command("ls", short_help="List what a remote holds.", epilog=REMOTE_NAMES)
@REMOTE
@click.argument("path", required=False)
@click.option("--folders", is_flag=True, help="One line for each folder: what lies directly in it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each line.")
def ls_command(remote: str | None, path: str | None, *, folders: bool, as_json: bool) -> None:
    """List what REMOTE holds, all of it or below PATH: size, time of the last change, path.

    What a pull cannot bring is listed with the reason. Folders are shown as Drive tells of them, each sorted.

    \b
    python -m drivesync ls                         the folder that a pull would come from
    python -m drivesync ls darknet backup          only what lies in its folder backup
    python -m drivesync ls MyDrive                 all of My Drive
    python -m drivesync ls --folders               how many files, and how much, in each folder
    """
    files = size_bytes = skipped = 0
    show = _show_folder if folders else _show_entries
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_remote(source_of(default_tree(), remote), settings(), reporter.note) as source,
    ):
        for folder in browse(source, path or ""):
            files += len(folder.files)
            size_bytes += folder.size_bytes
            skipped += len(folder.skipped)
            show(folder, as_json=as_json)
        if path and not files and not skipped:
            raise NotFoundError(f"there is no file {path!r} in {source.name}, and no folder with files")
    if not as_json:
        left_out = f"; {skipped:,} that a pull leaves out" if skipped else ""
        click.echo(f"{count(files, 'file')}, {format_size(size_bytes)}{left_out}")


def _show_entries(folder: Folder, *, as_json: bool) -> None:
    for entry in folder.entries:
        if as_json:
            click.echo(json.dumps(_describe_entry(entry)))
        elif isinstance(entry, Skipped):
            blank = f"{'-':>{_SIZE_COLUMNS}}  {'-':<{_TIME_COLUMNS}}"
            click.echo(f"{blank}  {printable(entry.path)} ({printable(entry.reason)})")
        else:
            size = f"{format_size(entry.size):>{_SIZE_COLUMNS}}"
            click.echo(f"{size}  {_time_of(entry):%Y-%m-%d %H:%M}  {printable(entry.path)}")


def _show_folder(folder: Folder, *, as_json: bool) -> None:
    if as_json:
        described = {
            "path": folder.path,
            "files": len(folder.files),
            "bytes": folder.size_bytes,
            "skipped": len(folder.skipped),
        }
        click.echo(json.dumps(described))
        return
    files = count(len(folder.files), "file")
    click.echo(
        f"{format_size(folder.size_bytes):>{_SIZE_COLUMNS}}  {files:>14}  {printable(folder.path or '.')}/"
    )


def _describe_entry(entry: RemoteFile | Skipped) -> dict[str, Any]:
    if isinstance(entry, Skipped):
        return {"path": entry.path, "skipped": entry.reason}
    return {
        "path": entry.path,
        "bytes": entry.size,
        "modified": _time_of(entry).isoformat(),
        "md5": entry.md5 or None,
        "id": entry.id,
    }


def _time_of(file: RemoteFile) -> datetime:
    """In local time, as ls has it."""
    return datetime.fromtimestamp(file.modified_s, timezone.utc).astimezone()

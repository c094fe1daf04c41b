"""What the commands have in common: their arguments, and what these stand for."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drivesync.config import DEFAULT_REMOTE, Settings, default_tree
from drivesync.disk import is_within
from drivesync.errors import DrivesyncError, NotFoundError, SettingsError, UsageError
from drivesync.remotes import open_remote
from drivesync.remotes.places import DriveId, DrivePath, LocalFolder, parse_place
from drivesync.tree import read_tree_state, remember_target, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.remotes.base import Remote

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _refuse_empty(_context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """A variable that is not set must not stand for the default, nor for the working directory."""
    if given == "":
        raise click.BadParameter("it is empty", param=parameter)
    return given


def _to_tree(context: click.Context, parameter: click.Parameter, given: str | None) -> Path | None:
    return Path(path) if (path := _refuse_empty(context, parameter, given)) is not None else None


class Span(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions of click only
    """A span of time: 20, 20s or 2m; in seconds."""

    name = "time"

    def convert(self, value: float | str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; refuse what is none."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|)", str(value))
        if match is None:
            self.fail(f"{value!r} is no time; write 20s or 2m", param, ctx)
        return float(match[1]) * (60 if match[2] == "m" else 1)


REMOTE = click.argument("remote", required=False, callback=_refuse_empty)
TREE = click.argument("tree", required=False, callback=_to_tree)
TAKE_OVER = click.option(
    "--take-over", is_flag=True, help="Go on though another session has the run; that one stops."
)
GRACE = click.option(
    "--grace",
    "grace_s",
    type=Span(),
    default="20s",
    show_default=True,
    help="How long to go on pushing after a stop.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")

REMOTE_NAMES = """\b
REMOTE is one of
  darknet, work/darknet                      a folder below My Drive
  MyDrive/darknet                            the same
  Shareddrives/NAME/darknet                  a folder of a shared drive
  https://drive.google.com/drive/folders/ID  a folder by its address, or by its ID alone
  /content/drive/MyDrive/darknet, ./x, ~/x   a directory of this machine
  github:USER/REPO[@REF]                     a repository, to pull from
  https://host/repo.git[#REF], git@host:...  the same; REF is a branch, a tag or a whole commit id
"""


def settings() -> Settings:
    """What the environment says.

    Raises:
        SettingsError: it cannot be what it says, or keeps files from being called what they are called in Drive.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        raise SettingsError(
            f"file names are {encoding} here, by the locale, and cannot be those in Drive",
            hint="Set PYTHONUTF8=1, or LC_ALL=C.UTF-8.",
        )
    return Settings.from_environment(os.environ)


def source_of(tree: Path, given: str | None) -> str:
    """The remote to pull from: ``given``, else what the tree remembers, else the default."""
    state = read_tree_state(tree)
    return given or (state.remote if state else DEFAULT_REMOTE)


def is_drive(name: str) -> bool:
    """Whether the remote ``name`` is in Google Drive.

    Raises:
        UsageError: it names nothing.
    """
    return isinstance(parse_place(name), (DrivePath, DriveId))


def find_target(tree: Path, given: str | None, on_wait: Callable[[str], None]) -> Remote:
    """The remote to push to; enter it to use it.

    Raises:
        UsageError: ``given`` names nothing, or a place that takes nothing.
    """
    if given is not None:
        target = open_remote(given, settings(), on_wait)
        if target.pull_only:
            hint = "Name a folder in Drive or a directory."
            raise UsageError(f"nothing can be pushed to {target.name}", hint=hint)
        # Its own name is good from any working directory.
        given = target.name
    name = given or target_of(tree, DEFAULT_REMOTE)
    place = parse_place(name)
    if isinstance(place, LocalFolder) and _are_nested(tree, Path(name)):
        raise UsageError(
            f"one of {tree} and {name} lies in the other, and would come into itself",
            hint="Name another TREE, or another REMOTE.",
        )
    return open_remote(name, settings(), on_wait)


@contextmanager
def open_target(
    tree: Path, given: str | None, on_wait: Callable[[str], None], *, remember: bool = True
) -> Iterator[Remote]:
    """The remote to push to, entered; by default remembered once it is there, so that no mistyped one ever is.

    Raises:
        UsageError: see ``find_target``.
        DrivesyncError: it cannot be opened.
    """
    with find_target(tree, given, on_wait) as target:
        if remember:
            _remember_if_there(tree, target)
        try:
            yield target
        finally:
            if remember:
                _remember_if_there(tree, target)


def _remember_if_there(tree: Path, target: Remote) -> None:
    """Remember where the tree goes; whether that is there is asked only where the tree has never known it."""
    if target_of(tree, "") != target.name:
        try:
            next(target.list(), None)
        except DrivesyncError:
            return
    remember_target(tree, target.name, DEFAULT_REMOTE)


def _are_nested(one: Path, other: Path) -> bool:
    return is_within(one, other) or is_within(other, one)


def open_source(tree: Path, given: str | None, on_wait: Callable[[str], None]) -> Remote:
    """The remote to pull to ``tree`` from; enter it to use it.

    Raises:
        UsageError: it names nothing, or ``tree`` lies in it.
    """
    source = open_remote(source_of(tree, given), settings(), on_wait)
    if isinstance(parse_place(source.name), LocalFolder) and is_within(tree, Path(source.name)):
        raise UsageError(
            f"{tree} lies in {source.name}, and would come into itself",
            hint="Name another TREE, or another REMOTE.",
        )
    return source


def existing_tree(tree: Path | None) -> Path:
    """``tree``, or the default one.

    Raises:
        NotFoundError: it is not there.
    """
    tree = tree or default_tree()
    if not tree.is_dir():
        raise NotFoundError(
            f"there is no tree at {tree}",
            hint="Name the TREE, or bring it with `python -m drivesync pull` first.",
        )
    return tree

"""Where a tree is trained: in itself, or, if it lies on a mount, in a copy of it on a local disk.

A Drive's mount or a network disk is where people lose runs (``mounts`` says how), so a tree there is pulled to a disk
of this machine through the folder remote, trained there, and its checkpoints are pushed back. For a tree TREE::

    /content/NAME         in Colab, where nothing else has that name: what `drivesync pull TREE` brings, and make builds
    /content/NAME-HASH    in Colab, else
    USER_DATA/darknet-drivesync/trees/NAME-HASH    elsewhere; XDG_DATA_HOME moves it

NAME is the tree's, HASH of its path without links. Nothing else is kept of it: that a copy is TREE's is told by the
hash, or by where it remembers to come from.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from drivesync.config import DEFAULT_REMOTE
from drivesync.errors import NotFoundError, SettingsError, UsageError
from drivesync.tree import TreeState, read_tree_state, write_tree_state
from trainer.mounted import Machine, find_mount, look, real_path
from trainer.mounts import name_on_drive
from trainer.status import status_path

_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tree is trained.

    Attributes:
        tree: absolute where it is a copy, else as the user named it.
        remote: the remote that was asked for, if any; None for what ``tree`` remembers.
        note: to be said before anything is done; empty where there is nothing to say.
        warning: to be said as long as it is trained there; empty where there is nothing to fear.
        source: where the copy comes from, anew each session; empty where ``remote`` says so.
        target: where it goes, unless it remembers otherwise; empty for where it comes from.
    """

    tree: Path
    remote: str | None = None
    note: str = ""
    warning: str = ""
    source: str = ""
    target: str = ""


def training_place(tree: Path, machine: Machine | None = None) -> Path:
    """The local folder for the copy of a ``tree`` on a mount, the same each time; it need not be there yet.

    Raises:
        SettingsError: that would lie on a mount, too.
    """
    machine = machine or Machine()
    real = real_path(tree)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:_HASH_DIGITS]
    is_colab = machine.content.is_dir()
    place = (machine.content if is_colab else machine.trees) / f"{real.name or 'tree'}-{digest}"
    if is_colab and not place.exists():
        plain = machine.content / real.name
        if _is_for(plain, real) and not find_mount(plain, machine):
            return plain
    if mount := find_mount(place, machine):
        hint = "Set XDG_DATA_HOME to a folder on a disk of this machine; or train it where it is, with --in-place."
        said = f"{tree} would be trained in {place}, but that lies on {mount}, which is no local disk either"
        raise SettingsError(said, hint=hint)
    return place


def find_training_place(tree: Path, machine: Machine | None = None) -> Path:
    """Where ``tree`` is trained or was last, for who looks at it or stops it: itself, or its local copy.

    A mount that is gone by now is no obstacle.
    """
    machine = machine or Machine()
    if not find_mount(tree, machine) and _has_files(tree):
        return tree
    try:
        place = training_place(tree, machine)
    except SettingsError:
        return tree
    # It may have been trained in place, too, before or since.
    return place if _written_s(place) > _written_s(tree) else tree


def resolve_place(
    tree: Path,
    *,
    in_place: bool,
    remote: str | None = None,
    pushing: bool = True,
    machine: Machine | None = None,
) -> Place:
    """Where ``tree`` is to be trained, where that comes from, and what is to be said of it.

    Args:
        tree: as the user named it.
        in_place: train it where it is, whatever that is. There all waits for a mount that does not answer: darknet,
            which reads its images from it, and whoever writes its log; that silence is taken for darknet's own.
        remote: the one that the user named, if any: it goes before the mount.
        pushing: False where everything is to stay on this disk.
        machine: this one.

    Raises:
        NotFoundError: the mount that it lay on is gone.
        SettingsError: see ``training_place``.
        UsageError: it would be trained in a copy of which nothing came back.
    """
    machine = machine or Machine()
    real = real_path(tree)
    found = look(real, machine)
    if found is None:
        _refuse_unmounted(tree, machine)
        return Place(tree, remote)
    mount, danger = found
    lies = f"{tree} lies on {danger.called}"
    if in_place:
        warning = f"{lies}, and is trained there: {danger.why}"
        return Place(tree, remote, warning, warning)
    if not pushing:
        hint = "Leave --no-push out: pushing to a folder needs no login. Or train it where it is, with --in-place."
        raise UsageError(
            f"{lies}; with --no-push nothing would come back there from where it is trained", hint=hint
        )
    on_drive = name_on_drive(str(real), mount)
    place = _copy(real, training_place(tree, machine), remote, is_drive=bool(on_drive))
    going = _tell_where_to(place, real, on_drive)
    return replace(place, note=f"{lies}: {danger.why}. It is trained in {place.tree}, and {going}")


def remember_place(place: Place) -> None:
    """Leave word in a copy of where it comes from, so that the session's beginning brings it up to date.

    What was changed on the mount since the last session is what the user wants trained. To be called by who holds the
    lock of ``place.tree``, before ``begin``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    if place.source:
        known = read_tree_state(place.tree) or TreeState(place.source, target=place.target)
        write_tree_state(place.tree, replace(known, remote=place.source, complete=False))


def _copy(real: Path, tree: Path, remote: str | None, *, is_drive: bool) -> Place:
    """The copy ``tree`` of the tree ``real`` on a mount, and where it comes from and goes to."""
    there, here = read_tree_state(real), read_tree_state(tree)
    if remote is not None and _is_folder(remote, real):
        remote = None
    if remote is not None or (here is not None and not _is_folder(here.remote, real)):
        return Place(tree, remote)
    if there is not None and not there.complete:
        return Place(tree, there.remote)  # a part of what is pulled to the mount
    if not (is_drive or _has_files(real)):
        # There is no tree yet: it comes from where it would have come without a mount. In Drive's own the name is
        # mistyped, and a pull will say that there is no such folder.
        return Place(tree)
    target = (there.target or there.remote) if there else ""
    return Place(tree, source=str(real), target="" if _is_folder(target, real) else target)


def _tell_where_to(place: Place, real: Path, on_drive: str) -> str:
    """Say where the checkpoints of a copy go; ``on_drive`` is what Drive itself calls ``real``, if it lies there."""
    to = _goes_to(place)
    if not _is_folder(to, real):
        return f"checkpoints go to {to}"
    if on_drive:
        return f'checkpoints are pushed back (with --remote "{on_drive}" they go to Drive itself, which confirms each)'
    return "checkpoints are pushed back"


def _goes_to(place: Place) -> str:
    """Where the checkpoints of a copy go, see ``begin``."""
    if place.remote is not None:
        return place.remote
    here = read_tree_state(place.tree)
    return (here and (here.target or here.remote)) or place.target or place.source or DEFAULT_REMOTE


def _refuse_unmounted(tree: Path, machine: Machine) -> None:
    """A folder of this disk must not stand in for a mount that is gone: the tree is not in it.

    Raises:
        NotFoundError: the mount is gone.
    """
    real = real_path(tree)
    if real.is_relative_to(machine.drive) and not machine.drive.is_mount():
        hint = f"Run `from google.colab import drive; drive.mount('{machine.drive}')` in a cell of its own first."
        raise NotFoundError(f"there is no {tree}: Drive is not mounted", hint=hint)
    if _has_files(tree):
        return
    with suppress(SettingsError):
        place = training_place(tree, machine)
        here = read_tree_state(place)
        if here is not None and _is_folder(here.remote, real):
            hint = f"Mount it, and run the same command again. What was trained of it is in {place}."
            raise NotFoundError(f"there is no {tree}: what it lay on is not mounted", hint=hint)


def _is_for(place: Path, real: Path) -> bool:
    """Whether a folder is free, or holds what came from the tree ``real``."""
    state = read_tree_state(place)
    return _is_folder(state.remote, real) if state else not _has_files(place)


def _is_folder(remote: str, real: Path) -> bool:
    """Whether a remote, by its own name, is the folder ``real``."""
    return remote.startswith("/") and real_path(Path(remote)) == real


def _has_files(tree: Path) -> bool:
    """Whether there is anything but what the tools keep for themselves."""
    try:
        return any(not path.name.startswith(".") for path in tree.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        # A file, or a mount that does not answer: not nothing, and whoever reads it will hear what is wrong.
        return True


def _written_s(tree: Path) -> float:
    """When the status of a training there was written last; 0.0 if there was none."""
    with suppress(OSError):
        return status_path(tree).stat().st_mtime
    return 0.0

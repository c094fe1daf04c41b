"""What a path of this machine lies on: a local disk, or a mount where a training is in danger, see ``mounts``."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from drivesync.remotes.folder.remote import COLAB_MOUNT
from trainer.mounts import find_danger, find_holder, parse_mountinfo

if TYPE_CHECKING:
    from trainer.mounts import Danger, Mount


def _trees() -> Path:
    return user_data_path("darknet-drivesync") / "trees"


@dataclass(frozen=True, slots=True)
class Machine:
    """What is looked at on this machine.

    Attributes:
        mountinfo: what is mounted where; without such a file every disk counts as local.
        content: Colab's local disk; elsewhere there is no such folder.
        drive: where Colab mounts Drive.
        trees: the folder for local copies anywhere else.
    """

    mountinfo: Path = Path("/proc/self/mountinfo")
    content: Path = Path("/content")
    drive: Path = COLAB_MOUNT
    trees: Path = field(default_factory=_trees)


def find_mount(tree: Path, machine: Machine | None = None) -> str:
    """What ``tree`` lies on, if training there is in danger: "a mounted Google Drive (fuse.drive)"; empty if not.

    Args:
        tree: a folder; one that is not there yet lies where it would be made.
        machine: this one.
    """
    found = look(real_path(tree), machine or Machine())
    return found[1].called if found else ""


def warn_of_backup(tree: Path, backup: str, machine: Machine | None = None) -> str:
    """What to say of a tree on a local disk whose checkpoints are written to a mount, by a link; empty if they are not.

    Args:
        tree: where it is trained.
        backup: its directory for checkpoints, relative to it.
        machine: this one.
    """
    machine = machine or Machine()
    found = look(real_path(tree / backup), machine)
    if found is None or find_mount(tree, machine):
        return ""
    return (
        f"{tree / backup} lies on {found[1].called}, though {tree} does not: {found[1].why}. "
        "Better a folder of this disk in place of the link: what is pushed from there is verified"
    )


def look(real: Path, machine: Machine) -> tuple[Mount, Danger] | None:
    """The mount that ``real`` lies on, and why not to train there; None where nothing speaks against it."""
    mount = _find_mount(real, machine)
    if mount is not None and mount.kind == "autofs":
        # It is mounted when somebody walks in.
        with suppress(OSError), os.scandir(real):
            pass
        mount = _find_mount(real, machine)
    danger = find_danger(mount) if mount is not None else None
    return (mount, danger) if mount is not None and danger is not None else None


def _find_mount(real: Path, machine: Machine) -> Mount | None:
    try:
        text = machine.mountinfo.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    return find_holder(str(real), parse_mountinfo(text))


def real_path(tree: Path) -> Path:
    """Absolute, without links, as far as they can be followed."""
    # Path.resolve raises RuntimeError for a circle of links before Python 3.13.
    return Path(os.path.realpath(tree))

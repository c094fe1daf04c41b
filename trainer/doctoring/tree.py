"""Whether the tree is here, whole, and on a disk where training is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.errors import SettingsError
from drivesync.tree import read_tree_state
from trainer.config import DEFAULT_BACKUP
from trainer.doctoring.lines import bad, good, warning
from trainer.mounted import Machine, find_mount, warn_of_backup
from trainer.place import training_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainer.doctoring.lines import Line

_TOPIC = "tree"


def judge_tree(tree: Path, machine: Machine | None = None) -> Iterator[Line]:
    """One line, or one for each thing that is wrong with where it lies.

    Args:
        tree: need not be there.
        machine: what is mounted here, and where; None for this one.
    """
    machine = machine or Machine()
    lines = [*_judge_mount(tree, machine), *_judge_content(tree, machine)]
    yield from lines or [good(_TOPIC, f"{tree}, on a disk of this machine")]


def _judge_mount(tree: Path, machine: Machine) -> Iterator[Line]:
    mount = find_mount(tree, machine)
    if not mount:
        return
    lies = f"{tree} lies on {mount}"
    try:
        place = training_place(tree, machine)
    except SettingsError as error:
        yield bad(_TOPIC, str(error), error.hint)
        return
    remedy = (
        f"`trainer supervise` sees to it: it trains a copy in {place}, and pushes back what darknet saves."
    )
    yield warning(_TOPIC, lies, remedy)


def _judge_content(tree: Path, machine: Machine) -> Iterator[Line]:
    if not tree.exists():
        remedy = "Bring it with `python -m drivesync pull`, or make one of images with `trainer init`."
        yield warning(_TOPIC, f"there is none at {tree} yet", remedy)
        return
    if not tree.is_dir():
        yield bad(_TOPIC, f"{tree} is a file, not a folder", "Name another TREE, or move the file away.")
        return
    state = read_tree_state(tree)
    if state is not None and not state.complete:
        remedy = "Run `python -m drivesync pull` again; what is here stays."
        yield warning(_TOPIC, f"not all of {state.remote} has arrived in {tree} yet", remedy)
    if said := warn_of_backup(tree, DEFAULT_BACKUP, machine):
        yield warning(_TOPIC, said, "Replace the link with a folder.")

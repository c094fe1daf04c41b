"""What the commands have in common: what they were called with, and where a tree's supervisor leaves word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.config import default_tree
from trainer.place import find_training_place
from trainer.status import status_path

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Call:
    """A command line, without the program's name; ``extra`` is what follows ``--``."""

    argv: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Both, as they were given."""
        return (*self.argv, "--", *self.extra) if self.extra else self.argv


def find_tree(given: Path | None) -> Path:
    """Where the tree that was named ``given``, None for the default one, is trained or was last."""
    return find_training_place(given or default_tree())


def supervisor_log(tree: Path) -> Path:
    """What the supervisor of ``tree`` says, where it runs in the background."""
    return status_path(tree).with_name("supervisor.log")


def darknet_log(tree: Path) -> Path:
    """What darknet says; see ``trainer.running.pipes.RotatedLog``."""
    return status_path(tree).with_name("darknet.log")

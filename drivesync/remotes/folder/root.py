"""The folder of a folder remote, as long as it is mounted, and the calls that are made in it."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drivesync.errors import NotFoundError, UsageError
from drivesync.remotes.folder.mount import translate_os_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.folder.mount import FileSystem
    from drivesync.remotes.repeats import Repeats

Result = TypeVar("Result")


class Root:
    """The folder that a user calls ``name``.

    Args:
        name: a path; relative ones are below the working directory.
        system: what is asked for files.
        repeats: of calls that fail.
        colab_mount: a folder below it is on a Drive that has to be mounted.

    Attributes:
        path: absolute, links in it as the user wrote them.
        hint: what to do where the file system does not answer.

    Raises:
        UsageError: ``name`` is in the home of a user who does not exist.
    """

    def __init__(self, name: str, system: FileSystem, repeats: Repeats, colab_mount: Path) -> None:
        try:
            self.path = Path(name).expanduser().absolute()
        except RuntimeError as error:
            raise UsageError(f"{name!r} names no folder: this machine has no such user") from error
        self.system = system
        self.repeats = repeats
        self._colab_mount = colab_mount
        self._is_in_colab = self.path.is_relative_to(colab_mount)
        self.hint = (
            f"In Colab run `from google.colab import drive; drive.mount('{colab_mount}', force_remount=True)` in a "
            "cell of its own, then the same command again."
            if self._is_in_colab
            else "Look whether the disk or share is still mounted, then run the same command again."
        )

    def call(self, action: str, work: Callable[[], Result]) -> Result:
        """``work()``, repeated where that may help, its errors translated."""

        def attempt() -> Result:
            with translate_os_errors(action, self.hint):
                return work()

        return self.repeats.call(action, attempt)

    def find(self) -> Path:
        """The folder itself, without links.

        Raises:
            NotFoundError: it is not there, or no folder.
        """
        self.refuse_unmounted()
        try:
            root = self.call(f"looking for {self.path}", partial(self.system.resolve, self.path))
        except NotFoundError as error:
            hint = "Name the folder that holds the darknet tree."
            raise NotFoundError(f"there is no folder {self.path}", hint=hint) from error
        if not stat.S_ISDIR(self.call(f"looking at {self.path}", partial(self.system.stat, root)).st_mode):
            raise NotFoundError(f"{self.path} is a file, not a folder", hint="Name the folder that it is in.")
        return root

    def find_device(self) -> int:
        """The number of the file system that the folder is on: another, once something is mounted there or no longer.

        Raises:
            NotFoundError: see ``find``.
        """
        return self.call(f"looking for {self.path}", partial(self.system.stat, self.find())).st_dev

    def refuse_unmounted(self) -> None:
        """Where Drive belongs, a folder of this disk must not stand in for it: it would be lost with the machine.

        Raises:
            NotFoundError: Drive is not mounted.
        """
        mount = self._colab_mount
        if self._is_in_colab and not self.call(f"looking for {mount}", partial(self.system.is_mount, mount)):
            raise NotFoundError(
                f"there is no folder {self.path}: Drive is not mounted",
                hint=f"Run `from google.colab import drive; drive.mount('{mount}')` in a cell of its own first.",
            )

"""A compiled darknet that was fetched: it is proven in a private place, and only then put into the tree.

    TREE/.trainer/fetched/    nobody else may look into it; holds each file at the path that it is to have in the tree

Nothing in it has a run bit until ``allow_run``, which is for files that are known to be what was kept.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from drivesync.disk import fsync_folder, is_within, local_errors
from drivesync.errors import LocalWriteError
from trainer.config import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.building.key import BuildKey
    from trainer.building.manifest import Product

_FOLDER = f"{STATE_FOLDER}/fetched"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files that lie in ``folder`` as they are to lie in the tree, each equal to what its manifest says.

    Attributes:
        key: what they were compiled from and with.
        folder: private, within the tree; ``folder / product.path``.
        products: sorted by path.
        built_at_s: when they were kept, Unix time.
    """

    key: BuildKey
    folder: Path
    products: tuple[Product, ...]
    built_at_s: float


def make_private_folder(tree: Path) -> Path:
    """An empty folder for what is fetched; of what another process has left there nothing stays.

    Raises:
        LocalWriteError: it cannot be made, or a link in its place leads out of the tree.
    """
    folder = tree / _FOLDER
    with local_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_within(folder.parent, tree)
        _remove(folder)
        folder.mkdir(mode=0o700)
    return folder


def create_file(folder: Path, path: str) -> BinaryIO:
    """A new file in the private folder, open for writing; for nobody to run.

    Raises:
        LocalWriteError: it cannot be made.
    """
    file = folder / path
    with local_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb")


def allow_run(fetched: Fetched) -> None:
    """Give those the run bit that are to have it: from here on they may be executed, to prove them.

    Raises:
        LocalWriteError: it cannot be done.
    """
    for product in fetched.products:
        if product.executable:
            file = fetched.folder / product.path
            with local_errors(file):
                mode = file.stat().st_mode
                # Who may read it may run it, as the linker does it.
                file.chmod(mode | (mode & 0o444) >> 2)


def place(fetched: Fetched, tree: Path) -> None:
    """Put all of it into the tree, programs last; to be called once it is proven, after ``allow_run``.

    Each file comes into its place at once, also where the one before is being executed. Cut between two of them, the
    tree has a new library below an old program: whoever builds again puts both there.

    Raises:
        LocalWriteError: the disk cannot take it, or a link leads out of the tree.
    """
    for product in sorted(fetched.products, key=lambda product: (product.executable, product.path)):
        file = tree / product.path
        with local_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _check_within(file.parent, tree)
            (fetched.folder / product.path).replace(file)
        fsync_folder(file.parent)
    discard(fetched)


def discard(fetched: Fetched) -> None:
    """Remove it, where it was placed or is not what it had to be.

    Raises:
        LocalWriteError: it cannot be removed.
    """
    remove_private_folder(fetched.folder)


def remove_private_folder(folder: Path) -> None:
    """Remove what ``make_private_folder`` has made, and all that is in it.

    Raises:
        LocalWriteError: it cannot be removed.
    """
    with local_errors(folder, "remove"):
        _remove(folder)


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def _check_within(folder: Path, tree: Path) -> None:
    if not is_within(folder, tree):
        raise LocalWriteError(
            f"cannot write to {folder}: it leads out of {tree}",
            hint="Remove that symbolic link; a folder is made in its place.",
        )

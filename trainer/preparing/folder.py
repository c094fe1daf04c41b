"""What lies in folders of images and labels: names, and bytes of files that are not longer than they can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import NotFoundError
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

IMAGE_ENDINGS = frozenset(
    {
        ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".png", ".pnm", ".ppm", ".tif", ".tiff",
        ".webp",
    }
)  # fmt: skip
"""What is taken for an image, in upper case, too; whether it can be read turns out later."""

LABEL_MAX_BYTES = 16 << 20
"""A longer file is no label of one image, and no list of names."""


def list_images(folder: Path) -> tuple[str, ...]:
    """All images in a folder and those below it, sorted: POSIX paths relative to it; what is hidden is left out.

    Raises:
        NotFoundError: there is no such folder, or no image in it.
        LocalWriteError: a folder cannot be read.
    """
    if not folder.is_dir():
        raise NotFoundError(
            f"there is no folder {folder}", hint="Name the folder of your images: --images DIR."
        )
    found = tuple(
        sorted(path for path in walk(folder) if PurePosixPath(path).suffix.lower() in IMAGE_ENDINGS)
    )
    if not found:
        raise NotFoundError(f"there is no image in {folder}", hint="Images are files as 1.jpg or 1.png.")
    return found


def read_names(place: Path) -> tuple[str, ...]:
    """The names in a list of classes, one a line; blank lines at its end are none.

    Raises:
        TreeError: it cannot be read, or is no text.
    """
    raw = read_bytes(str(place), LABEL_MAX_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TreeError(f"{place}: it is no text in UTF-8") from error
    return tuple(line.strip() for line in text.rstrip().splitlines())


def walk(folder: Path) -> Iterator[str]:
    """All files in a folder and below, as POSIX paths relative to it, but for what is hidden; links are not entered.

    Raises:
        LocalWriteError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    with local_errors(folder, "read"):
        for here, folders, names in os.walk(folder, onerror=fail):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = os.path.relpath(here, folder)
            for name in names:
                if not name.startswith("."):
                    yield name if below == "." else f"{below}/{name}"


def list_folder(folder: str) -> frozenset[str]:
    """The names in a folder; none of one that cannot be read."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - names are what is asked for
    except OSError:
        return frozenset()


def find_beside(folder: Path, names: Iterable[str]) -> list[Path]:
    """Where folders of these names are: in ``folder``, or beside it."""
    return [*(folder / name for name in names), *(folder.parent / name for name in names)]


def read_bytes(place: str, most_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        TreeError: it cannot be read, or is longer than that.
    """
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):  # noqa: PTH116 - likewise
            raise OSError(errno.EINVAL, "it is no file")  # noqa: TRY301 - as the system says it of others
        with open(place, "rb") as file:  # noqa: PTH123 - for each label, and Path takes thrice as long
            raw = file.read(most_bytes + 1)
    except OSError as error:
        raise TreeError(f"{place}: it cannot be read ({error.strerror})") from error
    if len(raw) > most_bytes:
        raise TreeError(f"{place}: it is longer than {most_bytes:,} bytes")
    return raw

"""The .cfg and .data that darknet is started with: the user's own, or files derived from them.

    TREE/.trainer/run/remote.cfg     named like the user's, for darknet calls its weights after it
    TREE/.trainer/run/remote.data

The user's files are never written to.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from trainer.derive import add_note, derive_cfg, derive_data
from trainer.errors import TreeError

if TYPE_CHECKING:
    from pathlib import Path

DERIVED_FOLDER = ".trainer/run"
"""In a tree."""


def write_derived(
    tree: Path,
    data: str,
    cfg: str,
    *,
    subdivisions: int | None = None,
    rate_factor: float = 1.0,
    savelast: int | None = None,
) -> tuple[str, str]:
    """Write what darknet is to be started with, where that is not what the user has written.

    Call it before each start: the user may have edited his files since the last one.

    Args:
        tree: the darknet tree.
        data: the user's .data file; like all paths here, POSIX and relative to the tree.
        cfg: the user's .cfg file.
        subdivisions: as for ``derive_cfg``.
        rate_factor: likewise.
        savelast: to put into the .data file; None leaves that as it is.

    Returns:
        The .data and the .cfg file to start with: the user's own where nothing is changed in them.

    Raises:
        TreeError: a file cannot be read, or is no cfg.
        LocalWriteError: the disk cannot take a derived one.
    """
    said_data, said_cfg = _read(tree, data), _read(tree, cfg)
    values = {} if savelast is None else {"savelast": str(savelast)}
    new_cfg = derive_cfg(said_cfg, subdivisions=subdivisions, rate_factor=rate_factor)
    cfg_place = f"{DERIVED_FOLDER}/{PurePosixPath(cfg).name}"
    data_place = f"{DERIVED_FOLDER}/{PurePosixPath(data).name}"
    if data_place == cfg_place:  # of the two, only the cfg's name means anything to darknet
        data_place += ".data"
    return (
        _place(tree, data, data_place, said_data, derive_data(said_data, values)),
        _place(tree, cfg, cfg_place, said_cfg, new_cfg),
    )


def _place(tree: Path, own: str, place: str, said: str, derived: str) -> str:
    path = tree / place
    with local_errors(path):
        if derived == said:
            path.unlink(missing_ok=True)  # of an earlier start; nobody shall take it for what is in use
            return own
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _encode(add_note(derived, own)))
    return place


def _read(tree: Path, path: str) -> str:
    # Neither line ends nor bytes that are no UTF-8 are to be changed on the way through.
    try:
        return (tree / path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise TreeError(f"{path} cannot be read: {error.strerror}") from error


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

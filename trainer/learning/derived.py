"""The .cfg and .data that darknet is started with: the user's own, or files derived from them.

    TREE/.trainer/run/remote.cfg     named like the user's, for darknet calls its weights after it
    TREE/.trainer/run/remote.data

The user's files are never written to.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from trainer.darknet.data import parse_data
from trainer.darknet.size import weights_size
from trainer.errors import TreeError
from trainer.learning.derive import add_note, derive_cfg, derive_data
from trainer.learning.window import choose_savelast, reads_savelast, saveweights_of

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.darknet.cfg import Network
    from trainer.darknet.program import Flavour
    from trainer.learning.learned import Learned

DERIVED_FOLDER = ".trainer/run"
"""In a tree."""


def find_savelast(
    tree: Path, data: str, network: Network, flavour: Flavour, *, learned: Learned, max_loss_s: float
) -> int | None:
    """The ``savelast`` to start with, see ``choose_savelast``; None where the user's own .data file is good as it is.

    Args:
        tree: the darknet tree.
        data: the user's .data file, relative to the tree.
        network: what his cfg says.
        flavour: of the darknet in use.
        learned: what is known of the run.
        max_loss_s: how much training a lost machine may take with it.

    Raises:
        TreeError: the file cannot be read, or the network has layers whose size is not known.
    """
    if not reads_savelast(flavour):
        return None
    said = parse_data(_read(tree, data), data)
    return choose_savelast(
        iteration_s=learned.iteration_s,
        max_loss_s=max_loss_s,
        push_s=learned.push_s,
        saveweights=saveweights_of(said.saveweights, network.max_batches),
        weights_bytes=weights_size(network, flavour=flavour),
        written=said.savelast,
    )


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
        TreeError: a file cannot be read, is no cfg, or is itself a derived one.
        LocalWriteError: the disk cannot take a derived one.
    """
    said_data, said_cfg = _read(tree, data), _read(tree, cfg)
    new_data = derive_data(said_data, {} if savelast is None else {"savelast": str(savelast)})
    new_cfg = derive_cfg(said_cfg, subdivisions=subdivisions, rate_factor=rate_factor)
    data_name, cfg_name = PurePosixPath(data).name, PurePosixPath(cfg).name
    if data_name == cfg_name:  # of the two, only the cfg's name means anything to darknet
        data_name += ".data"
    return _place(tree, data, data_name, said_data, new_data), _place(tree, cfg, cfg_name, said_cfg, new_cfg)


def _place(tree: Path, own: str, name: str, said: str, derived: str) -> str:
    """Put ``derived`` where it differs from what the user's ``own`` file said; returned is which to start with."""
    place = f"{DERIVED_FOLDER}/{name}"
    path = tree / place
    content = add_note(derived, own).encode("utf-8", "surrogateescape")
    with local_errors(path):
        if path.exists() and path.samefile(tree / own):
            raise TreeError(
                f"{own} was written by trainer, and would be again",
                hint="Name the file that it was derived from.",
            )
        if derived == said:
            path.unlink(missing_ok=True)  # of an earlier start; nobody shall take it for what is in use
            return own
        if path.is_file() and path.read_bytes() == content:
            return place  # on a full disk, too
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return place


def _read(tree: Path, path: str) -> str:
    # Neither line ends nor bytes that are no UTF-8 are to be changed on the way through.
    try:
        return (tree / path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise TreeError(f"{path} cannot be read: {error.strerror}") from error

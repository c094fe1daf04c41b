"""PURE: how often darknet is to save its ``_last`` weights, which is how much training a lost machine takes with it.

Only AlexeyAB's darknet lets itself be told, by ``savelast`` in the .data file. It saves ``_last`` at every multiple of
it, and numbered weights at every multiple of ``saveweights``; with ``savelast`` not below ``saveweights`` it never
saves ``_last`` (source: ``train_detector`` in its src/detector.c; measured).
"""

from __future__ import annotations

from trainer.darknet.program import Flavour

FIRST_SAVELAST = 30
"""What is asked for before it is known how long an iteration takes.

At 10 s an iteration, which is slow, a lost machine takes 5 minutes along, where darknet's own 100 would let it take 17.
At 1 s an iteration, which is fast for a network whose weights take 257 MB, saving takes 4 % of the time.
"""

_DARKNETS_SAVELAST = 100
_SAVE_BYTES_PER_S = 200e6
"""How fast darknet writes weights: 257 MB took it 1.2 s."""
_SAVING_SHARE = 0.02
"""How much of the time may go into saving: training stands still meanwhile."""


def reads_savelast(flavour: Flavour) -> bool:
    """Whether this darknet lets itself be told how often to save ``_last``."""
    return flavour is Flavour.AX


def saveweights_of(written: int | None, max_batches: int) -> int:
    """Iterations between two numbered weights files.

    Args:
        written: what the .data file says; None where it says nothing.
        max_batches: the iterations that the cfg asks for.
    """
    if written is not None:
        return written
    return 1000 if max_batches < 10_000 else 10_000


def choose_savelast(
    *,
    iteration_s: float | None,
    max_loss_s: float,
    push_s: float | None,
    saveweights: int,
    weights_bytes: int = 0,
    written: int | None = None,
    default: int = FIRST_SAVELAST,
) -> int | None:
    """The ``savelast`` to put into a derived .data file; None where the user's own is good as it is.

    What the user has written stands, however long it lets a lost machine take with it, for it was meant; but not if it
    would keep darknet from saving ``_last`` at all, which nobody means.

    Where that is longer than ``max_loss_s``, saves are as far apart as a push takes, for what is not pushed is lost
    with the machine anyway, and so far that saving takes no more than a fiftieth of the time.

    Args:
        iteration_s: how long an iteration takes, above 0; None where that is not known yet.
        max_loss_s: how much training a lost machine may take with it.
        push_s: how long it takes until a ``_last`` is safe; None where nothing is pushed, or that is not known yet.
        saveweights: see ``saveweights_of``; the answer lies below it.
        weights_bytes: size of a weights file.
        written: ``savelast`` in the user's .data file; None where it has none.
        default: iterations apart where ``iteration_s`` is not known.
    """
    if saveweights < 2 or (written is not None and written < saveweights):
        return None
    wanted = default
    if iteration_s is not None:
        apart_s = max(max_loss_s, push_s or 0.0, weights_bytes / _SAVE_BYTES_PER_S / _SAVING_SHARE)
        wanted = _round_down(min(apart_s / iteration_s, saveweights))
    chosen = max(1, min(wanted, saveweights - 1))
    return None if chosen == (written or _DARKNETS_SAVELAST) else chosen


def _round_down(number: float) -> int:
    """To two digits, so that the answer is not another one each time that it is measured."""
    whole = int(number)
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit

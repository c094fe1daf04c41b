"""Who says whether a file is whole: packages that know its format, found through the entry point ``drivesync.accept``.

drivesync knows nothing of what the files mean. A package that does (trainer, of darknet's checkpoints) registers a
function without arguments that returns an ``Accept``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from drivesync.errors import SettingsError
from drivesync.files import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from pathlib import Path

    Accept = Callable[[Path, str, Path], Verdict]
    """``accept(tree, path, snapshot)``: judge ``snapshot``, an immutable copy of the tree's ``path``."""

GROUP = "drivesync.accept"


def find_accept() -> Accept:
    """One judge made of all that are installed: the first to refuse is heard, else the first to know whose it is.

    Raises:
        SettingsError: one of them cannot be loaded; without it files would pass unjudged.
    """
    judges: list[Accept] = [_load(point) for point in entry_points(group=GROUP)]

    def accept(tree: Path, path: str, snapshot: Path) -> Verdict:
        verdicts = [judge(tree, path, snapshot) for judge in judges]
        refused = (verdict for verdict in verdicts if not verdict.accepted)
        knowing = (verdict for verdict in verdicts if verdict.iteration is not None or verdict.run)
        return next(refused, None) or next(knowing, None) or Verdict(accepted=True)

    return accept


def _load(point: EntryPoint) -> Accept:
    try:
        judge: Accept = point.load()()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"{point.value}, which judges files before they are pushed, cannot be loaded: {error}",
            hint="Install the package that it belongs to again.",
        ) from error
    return judge

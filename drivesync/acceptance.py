"""Who says whether a file is whole: packages that know its format, found through the entry point ``drivesync.accept``.

drivesync knows nothing of what the files mean. A package that does (trainer, of darknet's checkpoints) registers a
function without arguments that returns an ``Accept``; one that also knows where a run began anew is a ``KnowsRuns``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from drivesync.errors import SettingsError
from drivesync.files import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.metadata import EntryPoint
    from pathlib import Path

    Accept = Callable[[Path, str, Path], Verdict]
    """``accept(tree, path, snapshot)``: judge ``snapshot``, an immutable copy of the tree's ``path``."""

GROUP = "drivesync.accept"


@runtime_checkable
class KnowsRuns(Protocol):
    """A judge of files that can tell, too, whether what a tree holds of a run belongs to what the remote holds."""

    def refuse_run(self, tree: Path, run: str, read: Callable[[str], bytes | None]) -> str:
        """Say why nothing of ``run`` may be pushed from ``tree``, whole or not; empty if it may.

        Args:
            tree: the local tree.
            run: as in ``Verdict``.
            read: gives the content of a small file of the remote, by its path; None if there is none.

        Raises:
            DrivesyncError: nobody can tell.
        """
        ...


class Judges:
    """One judge made of several: the first to refuse is heard, else the first to know whose a file is."""

    def __init__(self, judges: Sequence[Accept]) -> None:
        self._judges = judges

    def __call__(self, tree: Path, path: str, snapshot: Path) -> Verdict:
        """See ``Accept``."""
        verdicts = [judge(tree, path, snapshot) for judge in self._judges]
        refused = (verdict for verdict in verdicts if not verdict.accepted)
        knowing = (verdict for verdict in verdicts if verdict.iteration is not None or verdict.run)
        return next(refused, None) or next(knowing, None) or Verdict(accepted=True)

    def refuse_run(self, tree: Path, run: str, read: Callable[[str], bytes | None]) -> str:
        """See ``KnowsRuns``."""
        knowing = (knows for judge in self._judges if (knows := as_knowing(judge)) is not None)
        return next(filter(None, (judge.refuse_run(tree, run, read) for judge in knowing)), "")


def as_knowing(judge: object) -> KnowsRuns | None:
    """The judge, if it knows of runs."""
    return judge if isinstance(judge, KnowsRuns) else None


def find_accept() -> Judges:
    """One judge made of all that are installed.

    Raises:
        SettingsError: one of them cannot be loaded; without it files would pass unjudged.
    """
    return Judges([_load(point) for point in entry_points(group=GROUP)])


def _load(point: EntryPoint) -> Accept:
    try:
        judge: Accept = point.load()()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"{point.value}, which judges files before they are pushed, cannot be loaded: {error}",
            hint="Install the package that it belongs to again.",
        ) from error
    return judge

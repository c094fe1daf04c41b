"""Compiled darknets kept with a tree's remote, so that the next session of the same kind need not compile."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote
    from trainer.building.fetched import Fetched
    from trainer.building.key import BuildKey


class BuildCache:
    """Compiled darknets on a remote; what goes wrong there costs a compilation, and never a build.

    Attributes:
        place: the remote's name; empty where there is none, so that nothing is ever found and nothing kept.

    Args:
        remote: entered; None for none.
        tell: is given a line for people: one warning at most that the remote does not do, then it is left alone.
        clock: Unix time in seconds.
    """

    def __init__(
        self, remote: Remote | None, tell: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        raise NotImplementedError

    @property
    def place(self) -> str:
        """See the class."""
        raise NotImplementedError

    def fetch(self, key: BuildKey, tree: Path) -> Fetched | None:
        """Bring what was kept for ``key`` into a private place in the tree, checked and without a run bit."""
        raise NotImplementedError

    def store(self, key: BuildKey, tree: Path, paths: Sequence[str]) -> bool:
        """Keep what was compiled, proven to run, for ``key``; ``paths`` are relative to the tree. Whether it did."""
        raise NotImplementedError


@contextmanager
def open_cache(
    tree: Path, given: str | None, settings: Settings, tell: Callable[[str], None]
) -> Iterator[BuildCache]:
    """The cache on the remote ``given``, else on the one that the tree remembers; without any, an empty one."""
    raise NotImplementedError
    yield

"""Compiled darknets kept with a tree's remote, so that the next session on the same kind of machine need not compile.

``shelf`` says how, and what is checked before anything that was kept is executed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from drivesync.errors import (
    DamagedError,
    LocalWriteError,
    MovedError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
)
from drivesync.remotes import is_pull_only, open_remote
from drivesync.tree import read_tree_state
from trainer.building.shelf import fetch_build, keep_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote
    from trainer.building.fetched import Fetched
    from trainer.building.key import BuildKey

_MOST_RETRIES = 2
"""Of a request: compiling takes minutes, and so would waiting for a remote that is away."""

_UNREACHABLE = (RemoteError, NotAllowedError, NotFoundError)


class BuildCache:
    """Compiled darknets on a remote; what goes wrong there costs a compilation, and never a build.

    Args:
        remote: entered; None for none: nothing is ever found then, and nothing kept.
        tell: is given a line for people; that the remote does not do is told once, and it is left alone from then on.
        clock: Unix time in seconds.
    """

    def __init__(
        self, remote: Remote | None, tell: Callable[[str], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._remote = remote
        self._tell = tell
        self._clock = clock

    @property
    def place(self) -> str:
        """The remote's name; empty where there is none, or none that answers."""
        return self._remote.name if self._remote is not None else ""

    def fetch(self, key: BuildKey, tree: Path) -> Fetched | None:
        """Bring what was kept for ``key`` into a private place in the tree, checked, and with no run bit.

        Whoever gets it proves that it runs (``allow_run``) before he puts it into the tree (``place``), or discards it.

        Args:
            key: of what would be compiled.
            tree: the local tree.

        Returns:
            None if there is nothing, nothing that is what it should be, or no remote.
        """
        if (remote := self._remote) is None:
            return None
        try:
            return fetch_build(remote, key, tree)
        except (DamagedError, LocalWriteError, MovedError) as error:
            self._tell(f"the build that is kept on {remote.name} is not used: {error}")
        except _UNREACHABLE as error:
            self._give_up(remote, error)
        return None

    def store(self, key: BuildKey, tree: Path, paths: Sequence[str]) -> bool:
        """Keep what was compiled for ``key``; the oldest builds beyond ``manifest.KEPT`` are deleted.

        Args:
            key: what it was compiled from and with.
            tree: the local tree.
            paths: of the files in it that belong together, relative to it; proven to run.

        Returns:
            Whether the remote has it now.
        """
        if (remote := self._remote) is None:
            return False
        try:
            keep_build(remote, key, tree, paths, self._clock())
        except (DamagedError, LocalWriteError, MovedError) as error:
            self._tell(f"the build is not kept on {remote.name}: {error}")
        except _UNREACHABLE as error:
            self._give_up(remote, error)
        else:
            return True
        return False

    def _give_up(self, remote: Remote, error: Exception) -> None:
        self._remote = None
        self._tell(_describe(remote.name, error))


@contextmanager
def open_cache(
    tree: Path, given: str | None, settings: Settings, tell: Callable[[str], None]
) -> Iterator[BuildCache]:
    """The builds on the remote ``given``, else on the one that the tree goes to; without any, an empty cache.

    A tree that knows no remote does not get one by being built: nobody has said that it is to be in Drive.

    Args:
        tree: the local tree.
        given: a remote's name; None for what the tree remembers.
        settings: drivesync's.
        tell: see ``BuildCache``.

    Raises:
        UsageError: ``given`` names nothing.
    """
    with ExitStack() as stack:
        remote: Remote | None = None
        if name := _choose(tree, given):
            hasty = replace(settings, retries=min(settings.retries, _MOST_RETRIES))
            try:
                remote = stack.enter_context(open_remote(name, hasty, tell))
            except _UNREACHABLE as error:
                tell(_describe(name, error))
        yield BuildCache(remote, tell)


def _choose(tree: Path, given: str | None) -> str:
    """The remote to keep builds on, by its name; empty for none, as where nothing can be written."""
    state = read_tree_state(tree)
    names = (given, state.target, state.remote) if state is not None else (given,)
    return next((name for name in names if name and not is_pull_only(name)), "")


def _describe(name: str, error: Exception) -> str:
    return f"no compiled darknet is looked for on {name}, nor kept there: {error}"

"""The beginning of a session: be the only one that trains the run, and have what the sessions before it have left.

In this order: what is here already is looked at; the lease of the run is claimed, so that nobody else adds to it from
then on; a run that is to be started over is moved out of the way; and only then checkpoints are pulled. Where both
sides hold some that the other does not, training goes on from the further ones.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.acceptance import find_accept
from drivesync.config import DEFAULT_REMOTE
from drivesync.errors import NotAllowedError, NotFoundError, RemoteError
from drivesync.index import Index
from drivesync.leasing.leases import Leases
from drivesync.pull import pull, with_environment
from drivesync.pulling.plan import DEFAULT_OPTIONS, PullOptions
from drivesync.push import Pusher, push
from drivesync.remotes import is_pull_only, open_remote
from drivesync.tree import read_tree_state, remember_target
from trainer.config import DEFAULT_BACKUP, STATE_FOLDER, checkpoint_patterns, foresee_run, resolve_run
from trainer.forks import settle_fork
from trainer.fresh import StartingOver, read_whole

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote
    from trainer.config import Wishes
    from trainer.status import StatusWriter

_NAMED = 3
"""So many of the files that differ are named."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a session is to begin.

    Attributes:
        remote: where the tree comes from and its checkpoints go; None for what the tree remembers.
        fresh: starts the run over, once under each name; empty goes on with it.
        take_over: go on though another session has the run.
        unchecked: start darknet whatever a look at the tree would find.
    """

    remote: str | None = None
    fresh: str = ""
    take_over: bool = False
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """What a session with a remote stands on; both are entered."""

    remote: Remote
    leases: Leases


def begin(
    wishes: Wishes,
    terms: Terms,
    settings: Settings,
    *,
    status: StatusWriter,
    reporter: Reporter,
    stack: ExitStack,
) -> Ground:
    """Open the remote that the checkpoints go to, and bring what it holds.

    A tree that is here already needs no remote to begin: where that cannot be reached, training starts without, and
    the lease is claimed by the first push that finds it again.

    Args:
        wishes: what is to be trained.
        terms: see there.
        settings: drivesync's.
        status: told what is done.
        reporter: likewise, in words.
        stack: holds the remotes and the lease.

    Raises:
        LeaseError: another session has the run.
        TreeError, NoDarknetError: what is here cannot be trained, see ``resolve_run``.
        DrivesyncError: see ``pull`` and ``StartingOver``.
    """
    source, place, given = _open_places(wishes.tree, terms, settings, reporter, stack)
    run = foresee_run(wishes, lambda path: _read(wishes.tree, source, path))
    status.update(run=run)
    if source is None:
        _look_ahead(wishes, run)

    def tell(line: str) -> None:
        reporter.note(f"{line}; --take-over goes on at once")
        if status.value.state == "starting":
            status.update(state="waiting", message=line)

    leases = stack.enter_context(Leases(place, take_over=terms.take_over, waits=True, tell=tell))
    try:
        if run:
            epoch = leases.hold(run).epoch
            status.update(epoch=epoch, state="starting", message="")
            _start_over(wishes.tree, run, place, leases, terms.fresh, reporter)
        status.update(state="pulling")
        conflicts: tuple[str, ...] = ()
        if source is not None:
            conflicts = _pull(source, wishes.tree, reporter, DEFAULT_OPTIONS)
        if source is not place:
            # There may be no checkpoints yet, nor a folder for them.
            with suppress(NotFoundError):
                only = f"{_folder_of(run)}/", f"{STATE_FOLDER}/"
                conflicts = _pull(place, wishes.tree, reporter, PullOptions(only=only))
        if run and conflicts:
            _settle(wishes, conflicts, place, reporter)
    except (RemoteError, NotAllowedError) as error:
        if source is not None or terms.fresh:
            raise
        reporter.note(f"training begins without a look at what {place.name} holds of the run: {error}")
    remember_target(wishes.tree, given, DEFAULT_REMOTE)
    return Ground(place, leases)


def _open_places(
    tree: Path, terms: Terms, settings: Settings, reporter: Reporter, stack: ExitStack
) -> tuple[Remote | None, Remote, str | None]:
    """Where the tree comes from and where its checkpoints go, which may be the same.

    Returns:
        The one, None if the tree is here already; the other; and its name, if it was given.
    """
    state = read_tree_state(tree)
    is_there = any(not path.name.startswith(".") for path in tree.iterdir())
    source: Remote | None = None
    if not is_there or (state is not None and not state.complete):
        name = terms.remote or (state.remote if state else DEFAULT_REMOTE)
        source = stack.enter_context(open_remote(name, settings, reporter.note))
    given = _own_name(terms.remote, settings, reporter)
    target = given or (state and (state.target or state.remote))
    if not target:
        target = DEFAULT_REMOTE if source is None or source.pull_only else source.name
    if source is not None and source.name == target:
        return source, source, given
    return source, stack.enter_context(open_remote(target, settings, reporter.note)), given


def _start_over(tree: Path, run: str, remote: Remote, leases: Leases, name: str, reporter: Reporter) -> None:
    def save() -> None:
        with Index(tree) as index:
            pusher = Pusher(tree, remote, index, find_accept(), reporter, leases=leases)
            push(pusher, tree, checkpoint_patterns(run))

    StartingOver(tree, run, remote, reporter).catch_up(name, save)


def _look_ahead(wishes: Wishes, run: str) -> None:
    """See that what is to be trained is there, as far as it can be told before the run's folder is brought."""
    if wishes.weights is not None and wishes.weights.startswith(f"{_folder_of(run)}/"):
        wishes = replace(wishes, weights=None)
    resolve_run(wishes)


def _pull(source: Remote, tree: Path, reporter: Reporter, options: PullOptions) -> tuple[str, ...]:
    """Returned is what stays as it is here, though ``source`` has another."""
    reporter.note(f"pulling {' and '.join(options.only) or 'all'} of {source.name} to {tree}")
    result = pull(source, tree, reporter=reporter, options=with_environment(options, os.environ))
    result.raise_failure()
    kept = result.conflicts
    more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
    said = (
        f", {len(kept)} changed here and there and left as here: {', '.join(kept[:_NAMED])}{more}"
        if kept
        else ""
    )
    reporter.note(f"pulled {result.downloaded_files} files ({format_size(result.downloaded_bytes)}){said}")
    return tuple(kept)


def _settle(wishes: Wishes, conflicts: tuple[str, ...], place: Remote, reporter: Reporter) -> None:
    behind = settle_fork(resolve_run(wishes), conflicts, place, find_accept(), reporter.note)
    if behind:
        _pull(place, wishes.tree, reporter, PullOptions(only=behind))


def _folder_of(run: str) -> str:
    return run.rpartition("/")[0] or DEFAULT_BACKUP


def _own_name(remote: str | None, settings: Settings, reporter: Reporter) -> str | None:
    """The remote by its own name, which is good from any working directory; None if nothing goes there."""
    if remote is None or is_pull_only(remote):
        return None
    return open_remote(remote, settings, reporter.note).name


def _read(tree: Path, source: Remote | None, path: str) -> bytes | None:
    """A small file of the tree: as it is here, or, before it is here, as the source has it."""
    with suppress(OSError):
        return (tree / path).read_bytes()
    if source is None:
        return None
    with suppress(NotFoundError):
        if (file := source.find(path)) is not None:
            return read_whole(source, file)
    return None

"""Whether the place that checkpoints go to can be reached and takes them, and whether another session has the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.browse import browse
from drivesync.disk import free_bytes
from drivesync.errors import DrivesyncError, NotFoundError, TransientError
from drivesync.holder import Fate, tell_fate
from drivesync.remotes import open_remote
from drivesync.remotes.places import DriveId, DrivePath, parse_place
from drivesync.turns import describe_holder, is_live
from trainer.doctoring.lines import Level, bad, good, warning
from trainer.doctoring.room import judge_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote
    from drivesync.remotes.login.whoami import Identity
    from trainer.doctoring.lines import Line
    from trainer.doctoring.room import Savings

_SCOPE = "https://www.googleapis.com/auth/"
_ALL, _OWN = f"{_SCOPE}drive", f"{_SCOPE}drive.file"
_SCOPE_REMEDY = (
    "In Colab run `from google.colab import auth; auth.authenticate_user()` again and grant all; elsewhere run "
    "`python -m drivesync login`."
)

_REMEDY = "Try again; if it stays, `python -m drivesync whoami` and `drivesync status` ask the same."

_SKEW_S = 30.0
"""What a clock may be off; tokens that a service account signs are refused from five minutes on."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a remote.

    Attributes:
        name: of the remote, as the user calls it.
        run: whose lease is looked at.
        home: where the tree is trained, or would be.
        has_tree: it is here, so that its folder there may be missing yet; else it has to fit here.
        savings: what a training will save; None where nobody knows.
        keep_numbered: so many numbered checkpoints stay there; None for all.
    """

    name: str
    run: str
    home: Path
    has_tree: bool = True
    savings: Savings | None = None
    keep_numbered: int | None = None


def judge_remote(
    question: Question, settings: Settings, *, clock: Callable[[], float] = time.time
) -> Iterator[Line]:
    """The lines one by one, as they are found out; nothing is written there.

    Args:
        question: what is asked.
        settings: drivesync's; how often a request is repeated says how long this takes.
        clock: Unix time by this machine.

    Raises:
        UsageError: the name means nothing.
    """
    is_drive = isinstance(parse_place(question.name), (DrivePath, DriveId))
    if is_drive:
        account = tuple(_guard("Drive", lambda: _judge_account(settings)))
        yield from account
        if account[0].level is Level.BAD:
            return
    remote = open_remote(question.name, settings, _hear_nothing)
    if remote.pull_only:
        remedy = "Name a folder for checkpoints with --remote, here and for `trainer supervise`."
        yield warning("remote", f"nothing can be pushed to {question.name}", remedy)
        return
    with remote:
        folder = tuple(_guard("remote", lambda: [_look_for_folder(remote, question)]))
        yield from folder
        yield from _guard("storage", lambda: [_look_at_room(remote, question)])
        if is_drive:
            yield from _guard("clock", lambda: [_look_at_clock(remote, clock)])
        yield from _guard("lease", lambda: [_look_at_lease(remote, question)])
        if folder[0].level is Level.GOOD and not question.has_tree:
            yield from _guard("disk", lambda: [_look_at_size(remote, question)])


def _guard(topic: str, look: Callable[[], Iterable[Line]]) -> Iterator[Line]:
    """The lines of ``look``; what ends it early becomes one more, and ends no other."""
    try:
        yield from look()
    except TransientError as error:
        yield bad(topic, str(error), error.hint or "See whether this machine has a network; then try again.")
    except DrivesyncError as error:
        yield bad(topic, str(error), error.hint or _REMEDY)


def _hear_nothing(_line: str) -> None:
    """Who waits for a line need not hear why."""


def _judge_account(settings: Settings) -> Iterator[Line]:
    # Google's client costs most of a second, and a folder needs none of it.
    from drivesync.remotes.login.whoami import identify  # noqa: PLC0415

    identity = identify(settings, _hear_nothing)
    yield good("Drive", f"reached as {_name(identity)}, by {identity.origin.place}")
    yield judge_scopes(identity)


def _name(identity: Identity) -> str:
    account = identity.account
    return f"{account.name} <{account.email}>" if account.email else account.name


def judge_scopes(identity: Identity) -> Line:
    """Whether what the credentials are allowed does for pulling and pushing."""
    held = ", ".join(scope.removeprefix(_SCOPE) for scope in identity.scopes) or "none"
    if not identity.limits:
        return good("scopes", held)
    # With one's own files a tree that was pushed from here can be trained.
    level = warning if _OWN in identity.scopes else bad
    return level("scopes", f"{held}. {' '.join(identity.limits)}".rstrip("."), _SCOPE_REMEDY)


def _look_for_folder(remote: Remote, question: Question) -> Line:
    try:
        # In Drive the bound costs least of all that needs the folder; others are asked for their first page.
        if remote.most_bytes() is None:
            next(iter(remote.list()), None)
    except NotFoundError as error:
        if question.has_tree:
            remedy = "The first push makes it; if that is not its name, name it with --remote."
            return warning("remote", str(error), remedy)
        return bad("remote", str(error), error.hint or "Name the folder of your tree with --remote.")
    return good("remote", f"{remote.name} is there")


def _look_at_room(remote: Remote, question: Question) -> Line:
    try:
        room = remote.room()
    except NotFoundError:
        room = None
    return judge_storage(room.free if room else None, question.savings, question.keep_numbered)


def _look_at_clock(remote: Remote, clock: Callable[[], float]) -> Line:
    ahead_s = clock() - remote.now_s()
    if abs(ahead_s) <= _SKEW_S:
        return good("clock", "agrees with Drive's")
    where = "ahead of" if ahead_s > 0 else "behind"
    remedy = "Set this machine's clock (timedatectl set-ntp true); Google refuses some logins by a clock that is wrong."
    return warning("clock", f"{abs(ahead_s):,.0f} s {where} Drive's", remedy)


def _look_at_lease(remote: Remote, question: Question) -> Line:
    try:
        record = remote.find_lease(question.run)
    except NotFoundError:
        record = None
    if record is None or record.released:
        return good("lease", f"no session has the run {question.run}")
    now_s = remote.now_s()
    holder = describe_holder(record, now_s)
    fate = tell_fate(record.holder)
    if fate is Fate.ALIVE:
        return good("lease", f"a session on this machine has the run {question.run}: {holder}")
    if fate is Fate.GONE or not is_live(record, now_s):
        return good("lease", f"the run {question.run} is free; its last session was {holder}")
    remedy = (
        "Stop that session. If it is gone with its machine, `trainer supervise` takes the run five minutes after it "
        "was last heard from; --take-over takes it at once."
    )
    return warning("lease", f"another session has the run {question.run}: {holder}", remedy)


def _look_at_size(remote: Remote, question: Question) -> Line:
    """Whether all of the tree fits where it is to come; it has to be listed for that."""
    size, free = sum(folder.size_bytes for folder in browse(remote)), free_bytes(question.home)
    said = f"a pull of {remote.name} brings {format_size(size)} at most, and {format_size(free)} are free"
    if size > free:
        return bad("disk", said, "Free some space, or pull to a larger disk.")
    return good("disk", said)

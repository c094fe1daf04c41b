"""A session that was killed keeps nobody out for longer than it has to; one that is alive does."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import LeaseError
from drivesync.progress import Silence
from drivesync.remotes import open_remote
from drivesync.testing import TOKEN, DriveEmulator, ErrorAnswer, Fault
from trainer.claim import claim, open_leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.files import LeaseRecord
    from drivesync.remotes.base import Remote

RUN = "backup/remote"


class Notes(Silence):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def remote(drive_emulator: DriveEmulator) -> Iterator[Remote]:
    drive_emulator.put("darknet/cfg/remote.cfg", b"[net]")
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN, retries=0, settle_s=0.0)
    with open_remote("darknet", settings, print) as remote:
        yield remote


@pytest.fixture
def pass_time(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets Drive's clock go on."""

    def pass_seconds(seconds: float) -> None:
        before = remote.now_s
        monkeypatch.setattr(remote, "now_s", lambda: before() + seconds)

    return pass_seconds


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / ".trainer").mkdir()
    return tmp_path


def begin(
    tree: Path,
    remote: Remote,
    *,
    take_over: bool = False,
    notes: Notes | None = None,
    wait: Callable[[float], object] = lambda _seconds: pytest.fail("waits"),
) -> int:
    """Begin a session, and end it."""
    notes = notes or Notes()
    with ExitStack() as stack:
        leases = open_leases(tree, RUN, remote, stack, notes, take_over=take_over)
        return claim(tree, RUN, remote, leases, notes, wait=wait)


def leave_lease(remote: Remote, holder: str = "another") -> LeaseRecord:
    """As a session that was killed does."""
    left = remote.claim_lease(RUN, remote.find_lease(RUN), holder, "somebody")
    assert left is not None
    return left


def test_one_session_after_the_other(tree: Path, remote: Remote) -> None:
    assert [begin(tree, remote) for _ in range(3)] == [1, 2, 3]


def test_what_cut_the_connections_keeps_no_lease_from_being_given_back(tree: Path, remote: Remote) -> None:
    with ExitStack() as stack:
        leases = open_leases(tree, RUN, remote, stack, Notes(), take_over=False)
        claim(tree, RUN, remote, leases, Notes())
        remote.cancel()
    newest = remote.find_lease(RUN)
    assert newest is not None
    assert newest.released


def test_one_that_is_alive_refuses(tree: Path, remote: Remote) -> None:
    leave_lease(remote)
    with pytest.raises(LeaseError, match="somebody"):
        begin(tree, remote)
    assert begin(tree, remote, take_over=True) == 2


def test_one_that_was_killed_in_this_tree_is_known_to_be_dead(tree: Path, remote: Remote) -> None:
    begin(tree, remote)
    holder = json.loads((tree / ".trainer/lease.json").read_text())["holder"]
    leave_lease(remote, holder)
    assert begin(tree, remote) == 3


def test_a_copy_of_a_tree_does_not_pass_for_the_tree(
    tree: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tree, remote)
    leave_lease(remote, json.loads((tree / ".trainer/lease.json").read_text())["holder"])
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(LeaseError):
        begin(tree, remote)


def test_one_that_is_silent_is_waited_for(
    tree: Path, remote: Remote, pass_time: Callable[[float], None]
) -> None:
    leave_lease(remote)
    pass_time(100)
    notes = Notes()
    assert begin(tree, remote, notes=notes, wait=lambda _seconds: pass_time(120)) == 2
    (line,) = notes.lines
    assert line.startswith("waiting until it is certain that it is gone: another session has the run")


def test_one_that_is_heard_from_again_refuses(
    tree: Path, remote: Remote, pass_time: Callable[[float], None]
) -> None:
    left = leave_lease(remote)
    pass_time(100)

    def renew(_seconds: float) -> None:
        pass_time(-100)
        remote.renew_lease(left)

    with pytest.raises(LeaseError):
        begin(tree, remote, wait=renew)


def test_without_the_remote_it_is_not_known_who_was_here(
    tree: Path, remote: Remote, drive_emulator: DriveEmulator
) -> None:
    begin(tree, remote)
    drive_emulator.inject(Fault(ErrorAnswer(503), times=None))
    with ExitStack() as stack:
        leases = open_leases(tree, RUN, remote, stack, Notes(), take_over=False)
        drive_emulator.reset()
        assert claim(tree, RUN, remote, leases, Notes()) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"holder": "x"}', b"{"])
def test_what_was_left_here_may_be_unreadable(tree: Path, remote: Remote, content: bytes) -> None:
    (tree / ".trainer/lease.json").write_bytes(content)
    assert begin(tree, remote) == 1

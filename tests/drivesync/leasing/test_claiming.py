"""Who has vanished is waited for until that is certain; who is alive refuses; who is dead here blocks nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import LeaseError, TransientError
from drivesync.holder import make_holder
from drivesync.leasing.claiming import Claim
from drivesync.leasing.lease import Lease
from drivesync.leasing.leases import Leases
from drivesync.remotes.folder.mount import FileSystem
from drivesync.remotes.folder.remote import FolderRemote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.files import LeaseRecord

START_S = 1_800_000_000.0
PATIENCE_S = 10.0


class Clock:
    """A server's and a session's, which go at one pace.

    Attributes:
        passed_s: since both began.
        events: what happens when so many seconds have passed.
    """

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.events: dict[float, Callable[[], object]] = {}

    def elapsed_s(self) -> float:
        return self.passed_s

    def pause(self, wait_s: float) -> bool:
        self.passed_s += wait_s
        for at_s in sorted(at_s for at_s in self.events if at_s <= self.passed_s):
            self.events.pop(at_s)()
        return False


class Stamping(FileSystem):
    """Stamps what is written by that clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        taken = super().write(descriptor, block)
        os.utime(descriptor, ns=(int((START_S + self._clock.passed_s) * 1e9),) * 2)
        return taken


class Remote(FolderRemote):
    """A folder whose clock is the test's; it counts how often it was looked at."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(str(folder / "darknet"), Settings(retries=0), system=Stamping(clock))
        self.time = clock
        self.looks = 0

    def now_s(self) -> float:
        return START_S + self.time.passed_s

    def find_lease(self, run: str) -> LeaseRecord | None:
        self.looks += 1
        return super().find_lease(run)


class Session:
    """What one hears that claims the run.

    Attributes:
        told: the lines.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.told: list[str] = []

    def claim(self, *, waits: bool = True, take_over: bool = False) -> LeaseRecord:
        clock = self._remote.time
        claim = Claim(self._remote, "run", "mine", "root@mine", elapsed_s=clock.elapsed_s)
        return claim.take(take_over=take_over, pause=clock.pause if waits else None, tell=self.told.append)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = Remote(tmp_path, Clock())
    with remote:
        yield remote


@pytest.fixture
def session(remote: Remote) -> Session:
    return Session(remote)


def leave(remote: Remote, silent_s: float = 0.0, holder: str = "vanished") -> LeaseRecord:
    """The lease of a session that was heard from last so long ago."""
    left = remote.claim_lease("run", remote.find_lease("run"), holder, "root@1a2b3c")
    assert left is not None
    remote.time.passed_s += silent_s
    return left


@pytest.mark.parametrize("silent_s", [1.0, 58.0, 61.0, 299.0])
def test_one_that_vanished_is_waited_for_until_that_is_certain(
    remote: Remote, session: Session, silent_s: float
) -> None:
    leave(remote, silent_s)
    looks = remote.looks
    assert session.claim().epoch == 2
    assert 300 <= remote.time.passed_s < 306
    assert remote.looks - looks <= 2 + (300 - silent_s) / 5 + 1
    (line,) = session.told
    assert line.startswith("another session has had the run 'run': root@1a2b3c, since 2027-01-15 08:00 UTC")
    assert line.endswith("waiting to see whether it is still there")


def test_one_that_is_heard_from_again_refuses_at_once(remote: Remote, session: Session) -> None:
    left = leave(remote, 40.0)
    remote.time.events[60.0] = lambda: remote.renew_lease(left)
    with pytest.raises(LeaseError, match=r"root@1a2b3c.*last heard from just now"):
        session.claim()
    assert remote.time.passed_s == 60.0
    assert len(session.told) == 1


def test_one_that_gives_it_back_is_waited_for_no_longer(remote: Remote, session: Session) -> None:
    left = leave(remote, 40.0)
    remote.time.events[70.0] = lambda: remote.renew_lease(left, release=True)
    assert session.claim().epoch == 2
    assert remote.time.passed_s == 70.0


def test_where_another_session_takes_it_meanwhile_that_one_is_alive(remote: Remote, session: Session) -> None:
    leave(remote, 40.0)
    remote.time.events[100.0] = lambda: remote.claim_lease("run", remote.find_lease("run"), "b", "root@new")
    with pytest.raises(LeaseError, match="root@new"):
        session.claim()
    assert remote.time.passed_s == 100.0


def test_one_that_was_faster_is_alive(remote: Remote, session: Session) -> None:
    class Slow(Remote):
        def claim_lease(
            self, run: str, after: LeaseRecord | None, holder: str, who: str
        ) -> LeaseRecord | None:
            super().claim_lease(run, after, "b", "root@faster")
            return super().claim_lease(run, after, holder, who)

    remote.__class__ = Slow
    with pytest.raises(LeaseError, match="root@faster"):
        session.claim()
    assert (remote.time.passed_s, session.told) == (0.0, [])


def test_one_that_was_heard_from_after_we_began_is_alive(remote: Remote, session: Session) -> None:
    """It shows at the first look, which took long."""
    left = leave(remote, 40.0)

    class Slow(Remote):
        def find_lease(self, run: str) -> LeaseRecord | None:
            if self.time.passed_s < 50.0:
                self.time.passed_s = 50.0
                self.renew_lease(left)
                self.time.passed_s = 52.0
            return super().find_lease(run)

    remote.__class__ = Slow
    with pytest.raises(LeaseError):
        session.claim()
    assert (remote.time.passed_s, session.told) == (52.0, [])


def test_who_does_not_wait_is_refused_at_once(remote: Remote, session: Session) -> None:
    leave(remote, 299.0)
    with pytest.raises(LeaseError, match="root@1a2b3c"):
        session.claim(waits=False)
    assert (remote.time.passed_s, session.told) == (299.0, [])


def test_who_takes_it_over_waits_for_nobody(remote: Remote, session: Session) -> None:
    leave(remote)
    assert session.claim(take_over=True).epoch == 2
    assert (remote.time.passed_s, session.told) == (0.0, [])


def test_what_is_removed_meanwhile_is_nobodys(remote: Remote, session: Session) -> None:
    left = leave(remote, 40.0)
    remote.time.events[60.0] = (remote._root.path / ".drivesync" / left.id).unlink
    assert session.claim().epoch == 1


def test_a_session_of_this_machine_that_is_alive_is_not_waited_for(remote: Remote, session: Session) -> None:
    leave(remote, 200.0, holder=make_holder())
    with pytest.raises(LeaseError):
        session.claim()
    assert (remote.time.passed_s, session.told) == (200.0, [])


def test_a_session_of_this_machine_that_was_killed_blocks_nobody(remote: Remote) -> None:
    program = "from drivesync.holder import make_holder; print(make_holder(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        leave(remote, holder=other.stdout.readline().strip())
        with pytest.raises(LeaseError), Leases(remote) as leases:
            leases.hold("run")
        other.kill()
    with Leases(remote) as leases:
        assert leases.hold("run").epoch == 2


def test_the_wait_ends_when_the_lease_is_not_wanted_any_more(remote: Remote) -> None:
    leave(remote, 40.0)
    waiting = threading.Event()
    ended: list[str] = []

    def hold() -> None:
        with pytest.raises(TransientError, match="stopped"):
            leases.hold("run")
        ended.append("hold")

    with Leases(remote, waits=True, tell=lambda _line: waiting.set()) as leases:
        thread = threading.Thread(target=hold)
        thread.start()
        assert waiting.wait(PATIENCE_S)
        assert leases.held == {}, "nobody can ask meanwhile"
    thread.join(PATIENCE_S)
    assert ended == ["hold"]


def test_an_interrupt_ends_the_wait(remote: Remote) -> None:
    leave(remote, 40.0)

    def interrupt(_closing: threading.Event, _wait_s: float) -> bool:
        raise KeyboardInterrupt

    lease = Lease(remote, "run", waits=True, wait=interrupt)
    with pytest.raises(KeyboardInterrupt):
        lease.__enter__()
    newest = remote.find_lease("run")
    assert newest is not None
    assert newest.epoch == 1

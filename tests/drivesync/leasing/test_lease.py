"""A session keeps its lease, whatever the remote does, and learns when it has lost it."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DrivesyncError, LeaseError, NotFoundError, RemoteError, TransientError
from drivesync.leasing.lease import Lease, describe_session
from tests.drivesync.leasing.conftest import PATIENCE_S, Remote, kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import LeaseRecord


class Ticks:
    """The waits of one thread: each ends when the test says so, or when the lease is left.

    Attributes:
        elapsed_s: what has passed by its clock.
    """

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._due: queue.Queue[None] = queue.Queue()
        self._begun = threading.Semaphore(0)
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.elapsed_s

    def wait(self, closing: threading.Event, wait_s: float) -> bool:
        self._begun.release()
        while not closing.is_set():
            try:
                self._due.get(timeout=0.01)
            except queue.Empty:
                continue
            self.elapsed_s += wait_s
            return closing.is_set()
        return True

    def pass_one(self) -> None:
        """Let the wait end, and what is done then be done."""
        assert self._begun.acquire(timeout=PATIENCE_S)
        self._due.put(None)
        assert self._begun.acquire(timeout=PATIENCE_S)
        self._begun.release()

    def pass_last(self, thread_is_alive: Callable[[], bool]) -> None:
        """Let the wait end, and the thread with it."""
        assert self._begun.acquire(timeout=PATIENCE_S)
        self._due.put(None)
        give_up = threading.Event()
        for _ in range(1_000):
            if not thread_is_alive():
                return
            give_up.wait(0.01)
        pytest.fail("the thread goes on")


def test_it_is_renewed_for_as_long_as_it_is_held(remote: Remote) -> None:
    ticks = Ticks()
    with Lease(remote, "run", wait=ticks.wait, elapsed_s=ticks.clock) as lease:
        for number in range(3):
            ticks.pass_one()
            assert remote.renewals == number + 1
        assert ticks.elapsed_s == 180.0
        assert not kept(remote).released
        assert (lease.epoch, lease.lost) == (1, None)
    assert kept(remote).released
    assert remote.renewals == 4


def test_who_it_is_can_be_read_by_people(remote: Remote) -> None:
    with Lease(remote, "run") as lease:
        assert kept(remote).who == describe_session()
        assert kept(remote).holder == lease.holder
        assert "process" in describe_session()


def test_trouble_is_told_after_minutes_and_when_it_is_over(remote: Remote) -> None:
    told: list[str] = []
    ticks = Ticks()
    with Lease(remote, "run", tell=told.append, wait=ticks.wait, elapsed_s=ticks.clock) as lease:
        remote.trouble = TransientError("looking: no answer")
        for _ in range(2):
            ticks.pass_one()
        assert told == []
        for _ in range(5):
            ticks.pass_one()
        said = "the lease on run could not be renewed for {} minutes: looking: no answer"
        assert told == [said.format(3), said.format(6)]
        with pytest.raises(TransientError):
            lease.check()
        remote.trouble = None
        for _ in range(3):
            ticks.pass_one()
        assert told[2:] == ["the lease on run is renewed again"]
        lease.check()
        assert lease.lost is None


@pytest.mark.parametrize(
    "trouble", [RemoteError("refused"), DrivesyncError("odd"), RuntimeError("a mistake in the program")]
)
def test_whatever_goes_wrong_it_goes_on(remote: Remote, trouble: Exception) -> None:
    ticks = Ticks()
    with Lease(remote, "run", wait=ticks.wait, elapsed_s=ticks.clock):
        remote.trouble = trouble
        ticks.pass_one()
        ticks.pass_one()
        remote.trouble = None
        before_s = kept(remote).renewed_s
        ticks.pass_one()
        assert kept(remote).renewed_s > before_s


def test_an_outage_for_hours_costs_it_only_if_another_session_comes(remote: Remote, other: Remote) -> None:
    ticks = Ticks()
    with Lease(remote, "run", wait=ticks.wait, elapsed_s=ticks.clock) as lease:
        remote.trouble = TransientError("no answer")
        for _ in range(120):
            ticks.pass_one()
        remote.trouble = None
        lease.check()
        other.ahead_s = 7_200.0
        with Lease(other, "run") as new:
            assert new.epoch == 2
            with pytest.raises(LeaseError):
                lease.check()


def test_the_thread_finds_out_without_being_asked(remote: Remote, other: Remote) -> None:
    ticks = Ticks()
    with (
        Lease(remote, "run", wait=ticks.wait) as lease,
        Lease(other, "run", take_over=True, who="root@new"),
    ):
        ticks.pass_last(lease._thread.is_alive)
        lost = lease.lost
        assert lost is not None
        assert "root@new" in str(lost)
        assert remote.renewals == 0
        for _ in range(2):
            with pytest.raises(LeaseError) as raised:
                lease.check()
            assert raised.value is not lost
            assert (str(raised.value), raised.value.hint) == (str(lost), lost.hint)
    assert remote.renewals == 0, "what is another's was given back"
    assert kept(remote).epoch == 2


def test_all_who_ask_at_once_are_told_that_it_is_lost(remote: Remote, other: Remote) -> None:
    with Lease(remote, "run") as lease, Lease(other, "run", take_over=True):
        with ThreadPoolExecutor(8) as pool:
            checks = [pool.submit(lease.check) for _ in range(8)]
        assert all(isinstance(check.exception(), LeaseError) for check in checks)


@pytest.mark.parametrize("by_others", [True, False], ids=["others have had it", "somebody removed it"])
def test_whose_record_is_gone_has_lost(remote: Remote, other: Remote, *, by_others: bool) -> None:
    with Lease(remote, "run") as lease:
        record = kept(remote)
        if by_others:
            assert other.claim_lease("run", record, "b", "root@new") is not None
        (other._root.path / ".drivesync" / record.id).unlink()
        (other._root.path / "data").mkdir()
        with pytest.raises(LeaseError, match="root@new" if by_others else "its record is gone"):
            lease.check()


def test_who_has_it_is_told_even_if_the_time_is_not(remote: Remote, other: Remote) -> None:
    class Timeless(Remote):
        def now_s(self) -> float:
            raise TransientError("no answer")

    with Lease(remote, "run") as lease, Lease(other, "run", take_over=True, who="root@new"):
        remote.__class__ = Timeless
        with pytest.raises(LeaseError, match="root@new"):
            lease.check()


def test_a_claim_whose_answer_was_lost_goes_on_where_it_ended(remote: Remote) -> None:
    lease = Lease(remote, "run")
    remote.trouble = TransientError("no answer")
    with pytest.raises(TransientError):
        lease.__enter__()
    remote.trouble = None
    with lease:
        assert (lease.epoch, kept(remote).epoch, remote.claims) == (1, 1, 1)


def test_who_is_beaten_to_a_take_over_does_not_take_it_from_the_faster(remote: Remote, other: Remote) -> None:
    class Slow(Remote):
        def claim_lease(
            self, run: str, after: LeaseRecord | None, holder: str, who: str
        ) -> LeaseRecord | None:
            if self.claims == 1:
                assert other.claim_lease(run, after, "faster", "root@faster") is not None
            return super().claim_lease(run, after, holder, who)

    with Lease(remote, "run"):
        remote.__class__ = Slow
        with pytest.raises(LeaseError, match="root@faster"):
            Lease(remote, "run", take_over=True).__enter__()


def test_a_claim_that_always_comes_too_late_ends(remote: Remote) -> None:
    class Late(Remote):
        def claim_lease(
            self, run: str, after: LeaseRecord | None, holder: str, who: str
        ) -> LeaseRecord | None:
            del run, after, holder, who
            return None

    remote.__class__ = Late
    with pytest.raises(TransientError, match="faster 10 times"):
        Lease(remote, "run").__enter__()


def test_giving_it_back_takes_no_longer_than_it_may(remote: Remote) -> None:
    remote_may_go_on = threading.Event()
    lease = Lease(remote, "run", give_back_s=0.05)
    with lease:
        remote.hanging = remote_may_go_on
    assert lease._thread.is_alive()
    assert not kept(remote).released
    remote_may_go_on.set()
    lease._thread.join(PATIENCE_S)
    assert kept(remote).released


def test_that_it_cannot_be_given_back_hides_no_other_error(remote: Remote) -> None:
    def work() -> None:
        with Lease(remote, "run"):
            remote.trouble = NotFoundError("gone")
            raise ValueError("the real one")

    with pytest.raises(ValueError, match="the real one"):
        work()


def test_it_has_to_be_entered(remote: Remote) -> None:
    lease = Lease(remote, "run")
    with pytest.raises(RuntimeError, match="not entered"):
        lease.check()

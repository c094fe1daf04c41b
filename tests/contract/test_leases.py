"""What ``drivesync.remotes.base.Remote`` promises of leases: of many who claim a turn one has it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, TransientError, UsageError
from drivesync.files import LeaseRecord, RemoteFile

if TYPE_CHECKING:
    from drivesync.remotes.base import Remote
    from tests.contract.conftest import Place

SESSIONS = 20
WHO = "root@1a2b3c, process 812"


def claim(remote: Remote, run: str, holder: str, after: LeaseRecord | None = None) -> LeaseRecord:
    record = remote.claim_lease(run, after, holder, WHO)
    assert record is not None
    return record


def claim_all_at_once(place: Place, run: str, after: LeaseRecord | None) -> list[LeaseRecord | None]:
    """What so many sessions, each with a connection of its own, are answered."""
    barrier = Barrier(SESSIONS)

    with ExitStack() as stack:
        remotes = [stack.enter_context(place.open()) for _ in range(SESSIONS)]

        def claim_one(number: int) -> LeaseRecord | None:
            barrier.wait()
            return remotes[number].claim_lease(run, after, f"session {number}", WHO)

        with ThreadPoolExecutor(SESSIONS) as pool:
            return list(pool.map(claim_one, range(SESSIONS)))


def test_a_turn_from_its_claim_to_the_next(writable: Place) -> None:
    with writable.open() as one, writable.open() as other:
        assert one.find_lease("yolo") is None
        before_s = one.now_s()
        first = claim(one, "yolo", "one")
        assert (first.run, first.epoch, first.holder, first.who) == ("yolo", 1, "one", WHO)
        assert not first.released
        assert first.since_s == pytest.approx(before_s, abs=30)
        assert first.renewed_s >= first.since_s
        for remote in (one, other):
            assert remote.find_lease("yolo") == first
            assert remote.next_lease(first) is None

        assert other.claim_lease("yolo", None, "other", WHO) is None, "the first turn is taken"
        assert claim(one, "yolo", "one") == first, "an answer was lost"

        renewed = one.renew_lease(first)
        assert renewed == replace(first, renewed_s=renewed.renewed_s)
        assert renewed.renewed_s >= first.renewed_s
        assert other.find_lease("yolo") == renewed

        released = one.renew_lease(renewed, release=True)
        assert released == replace(first, renewed_s=released.renewed_s, released=True)
        assert other.find_lease("yolo") == released
        assert one.next_lease(released) is None, "nobody has taken the turn yet"

        second = claim(other, "yolo", "other", after=released)
        assert (second.epoch, second.holder, second.released) == (2, "other", False)
        assert second.id not in {first.id, first.next_id} or second.id == first.next_id
        assert one.find_lease("yolo") == second
        assert one.next_lease(first) == second
        assert other.next_lease(second) is None
        assert one.claim_lease("yolo", released, "one", WHO) is None, "the second turn is taken"
        # A listing of the tree says nothing of all this.
        assert not [entry for page in one.list() for entry in page.entries if isinstance(entry, RemoteFile)]


def test_turns_that_were_taken_over_follow_each_other(writable: Place) -> None:
    with writable.open() as remote:
        records: list[LeaseRecord] = []
        for number in range(5):
            records.append(claim(remote, "yolo", f"session {number}", after=records[-1] if records else None))
        assert [record.epoch for record in records] == [1, 2, 3, 4, 5]
        assert remote.find_lease("yolo") == records[-1]
        for record in records[:-1]:
            assert remote.claim_lease("yolo", record, "straggler", WHO) is None
            try:
                ended_by = remote.next_lease(record)
            except NotFoundError:
                continue
            assert ended_by is not None, "a session that lost its turn is not told"
            assert ended_by.epoch > record.epoch
        assert remote.next_lease(records[-1]) is None
        # Whoever held it before may have it again.
        assert claim(remote, "yolo", "session 0", after=records[-1]).epoch == 6


def test_of_many_that_claim_the_first_turn_one_has_it(writable: Place) -> None:
    answers = claim_all_at_once(writable, "yolo", None)
    [winner] = [answer for answer in answers if answer is not None]
    with writable.open() as remote:
        assert remote.find_lease("yolo") == winner
        assert remote.next_lease(winner) is None


def test_of_many_that_take_over_one_has_the_turn(writable: Place) -> None:
    with writable.open() as remote:
        first = claim(remote, "yolo", "first")
        answers = claim_all_at_once(writable, "yolo", first)
        [winner] = [answer for answer in answers if answer is not None]
        assert winner.epoch == 2
        assert remote.next_lease(first) == winner
        assert remote.find_lease("yolo") == winner


def test_each_run_has_its_own_lease_whatever_its_name(writable: Place) -> None:
    runs = ["yolo", "Yolo", "../yolo", "cfg/yolo.cfg", "line\nfeed", "it's 🦊 \\ 100%", "x" * 300]
    with writable.open() as remote, ThreadPoolExecutor(len(runs)) as pool:
        # At once, since the first claim of a run may have to wait for a listing.
        records = list(pool.map(lambda run: claim(remote, run, "one"), runs))
        assert [record.run for record in records] == runs
        assert [remote.find_lease(run) for run in runs] == records
        assert len({record.id for record in records}) == len(runs)


def test_a_turn_is_not_renewed_back_to_life(writable: Place) -> None:
    with writable.open() as remote:
        first = claim(remote, "yolo", "one")
        second = claim(remote, "yolo", "other", after=first)
        with suppress(NotFoundError):
            remote.renew_lease(first)
        assert remote.find_lease("yolo") == second
        # It is told where it looks.
        assert remote.next_lease(first) == second


def test_after_cancel_nobody_can_tell_who_has_it(writable: Place) -> None:
    with writable.open() as remote:
        record = claim(remote, "yolo", "one")
        remote.cancel()
        with pytest.raises(TransientError):
            remote.find_lease("yolo")
        with pytest.raises(TransientError):
            remote.claim_lease("yolo", record, "other", WHO)
        with pytest.raises(TransientError):
            remote.renew_lease(record)
        with pytest.raises(TransientError):
            remote.next_lease(record)


def test_what_is_pulled_from_only_has_no_leases(pull_only: Place) -> None:
    pull_only.put("a", b"content")
    record = LeaseRecord("yolo", 1, "id", "next", "holder", WHO, time.time(), time.time())
    with pull_only.open() as remote:
        assert remote.find_lease("yolo") is None
        with pytest.raises(UsageError, match="pulled from only"):
            remote.claim_lease("yolo", None, "holder", WHO)
        with pytest.raises(UsageError, match="pulled from only"):
            remote.renew_lease(record)
        with pytest.raises(UsageError, match="pulled from only"):
            remote.next_lease(record)

"""Of any number of sessions exactly one has a run, wherever it is kept."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from drivesync.config import Settings
from drivesync.errors import LeaseError, NotFoundError
from drivesync.leasing.lease import Lease
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.remotes.folder.mount import FileSystem
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.testing import TOKEN, DriveEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.files import LeaseRecord
    from drivesync.remotes.base import Remote

STALE_S = 301.0
FAST_S = 0.001
TREE = "work/darknet"


class Clock:
    """Real time, and what it is ahead by."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_ms(self) -> int:
        return round((time.time() + self.ahead_s) * 1000)


class ClockedFiles(FileSystem):
    """Stamps what is written by a clock of its own, as a network disk does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        taken = super().write(descriptor, block)
        os.utime(descriptor, ns=(self._clock.now_ms() * 1_000_000,) * 2)
        return taken


class Place(Protocol):
    clock: Clock

    def open(self, tree: str = TREE) -> Remote:
        """A session of its own on ``tree``, entered."""


class DrivePlace:
    def __init__(self, stack: ExitStack) -> None:
        self.clock = Clock()
        self._stack = stack
        self.emulator = stack.enter_context(DriveEmulator(now_ms=self.clock.now_ms))

    def open(self, tree: str = TREE) -> Remote:
        # What this Drive has stamped shows at once.
        settings = Settings(self.emulator.url, TOKEN, retries=20, settle_s=0.0)
        return self._stack.enter_context(DriveRemote(tree, settings, first_wait_s=FAST_S))


class FolderPlace:
    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.clock = Clock()
        self._stack = stack
        self._folder = folder

    def open(self, tree: str = TREE) -> Remote:
        settings = Settings(retries=3, retry_wait_s=FAST_S)
        name = str(self._folder / tree)
        return self._stack.enter_context(FolderRemote(name, settings, system=ClockedFiles(self.clock)))


@pytest.fixture(params=["drive", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield DrivePlace(stack) if request.param == "drive" else FolderPlace(stack, tmp_path)


@pytest.fixture
def remote(place: Place) -> Remote:
    return place.open()


def claim(remote: Remote, run: str, after: LeaseRecord | None, holder: str) -> LeaseRecord:
    taken = remote.claim_lease(run, after, holder, f"who {holder}")
    assert taken is not None
    return taken


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """What each comes to, all begun at one moment; an error is an outcome, too."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return work()
        except LeaseError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(start, works))


def test_nobody_has_had_it(remote: Remote) -> None:
    assert remote.find_lease("run") is None


def test_the_first_turn(place: Place, remote: Remote) -> None:
    place.clock.ahead_s = 86_400.0
    before_s = time.time() + 86_400 - 2
    mine = claim(place.open(), "run", None, "a")
    assert (mine.run, mine.epoch, mine.holder, mine.who, mine.released) == ("run", 1, "a", "who a", False)
    assert before_s < mine.since_s <= mine.renewed_s < before_s + 30
    assert remote.find_lease("run") == mine
    assert remote.next_lease(mine) is None
    assert remote.find_lease("other run") is None


def test_a_turn_is_had_once(place: Place, remote: Remote) -> None:
    other = place.open()
    first = claim(remote, "run", None, "a")
    assert other.claim_lease("run", None, "b", "who b") is None
    second = claim(other, "run", first, "b")
    assert (second.epoch, second.id) == (2, first.next_id)
    assert remote.claim_lease("run", first, "c", "who c") is None
    assert remote.claim_lease("run", None, "c", "who c") is None
    assert remote.next_lease(first) == second == remote.find_lease("run")


def test_a_claim_that_is_repeated_is_answered_as_the_first(place: Place, remote: Remote) -> None:
    first = claim(remote, "run", None, "a")
    assert remote.claim_lease("run", None, "a", "who a") == first
    second = claim(remote, "run", first, "b")
    assert place.open().claim_lease("run", first, "b", "who b") == second
    assert remote.find_lease("run") == second


def test_a_renewal_is_stamped_by_the_remotes_clock(place: Place) -> None:
    mine = claim(place.open(), "run", None, "a")
    place.clock.ahead_s = 3_600.0
    renewed = place.open().renew_lease(mine)
    assert 3_590 < renewed.renewed_s - mine.renewed_s < 3_630
    assert abs(renewed.renewed_s - place.open().now_s()) < 5
    found = place.open().find_lease("run")
    assert found == renewed
    assert (found.since_s, found.released) == (mine.since_s, False)


def test_a_lease_that_was_given_back(place: Place, remote: Remote) -> None:
    mine = claim(remote, "run", None, "a")
    given = remote.renew_lease(mine, release=True)
    assert given.released
    assert place.open().find_lease("run") == given
    assert remote.renew_lease(given).released


@pytest.mark.parametrize(
    "run",
    ["", "..", "a/b", "it's \\ one", 'the "other"', "läuft", "\udcff", "x" * 300, "Run", "*", "\n"],
    ids=repr,
)
def test_a_run_of_any_name(remote: Remote, run: str) -> None:
    near = claim(remote, "run", None, "near")
    first = claim(remote, run, None, "a")
    second = claim(remote, run, first, "b")
    assert remote.find_lease(run) == second
    assert remote.find_lease("run") == near
    assert remote.next_lease(near) is None


def test_who_it_is_may_be_said_at_any_length(remote: Remote) -> None:
    taken = remote.claim_lease("run", None, "a", "ü" * 1_000 + "\udcff")
    assert taken is not None
    assert taken.who.startswith("ü" * 60)
    assert remote.find_lease("run") == taken
    assert remote.renew_lease(taken).who == taken.who


def take_turns(place: Place, remote: Remote, record: LeaseRecord, count: int) -> LeaseRecord:
    """So many sessions have the run, one after the other, each for more than a minute."""
    for number in range(count):
        record = claim(remote, record.run, record, f"later {number}")
        place.clock.ahead_s += 60.0
        remote.renew_lease(record)
    return record


def test_a_session_that_slept_while_many_others_had_the_run_has_lost(place: Place, remote: Remote) -> None:
    sleeper = place.open()
    first = claim(sleeper, "run", None, "sleeper")
    newest = take_turns(place, remote, first, 12)
    with pytest.raises(NotFoundError):
        sleeper.next_lease(first)
    with pytest.raises(NotFoundError):
        sleeper.renew_lease(first)
    assert sleeper.claim_lease("run", first, "sleeper", "who") is None
    assert sleeper.claim_lease("run", None, "sleeper", "who") is None
    found = remote.find_lease("run")
    assert found is not None
    assert (found.id, found.epoch) == (newest.id, 13)
    assert remote.next_lease(newest) is None


def test_the_last_turns_are_kept(place: Place, remote: Remote) -> None:
    first = claim(remote, "run", None, "a")
    fourth = take_turns(place, remote, first, 4)
    assert fourth.epoch == 5
    assert remote.next_lease(first) is not None


@pytest.mark.parametrize(("sessions", "rounds"), [(2, 50), (8, 3)])
def test_of_sessions_that_start_at_once_on_a_fresh_tree_one_has_the_run(
    place: Place, sessions: int, rounds: int
) -> None:
    for number in range(rounds):
        remotes = [place.open(f"{number}/darknet") for _ in range(sessions)]
        outcomes = at_once([Lease(remote, "run").__enter__ for remote in remotes])
        winners = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
        assert len(winners) == 1, outcomes
        winners[0].check()
        assert all("another session has the run" in str(o) for o in outcomes if o is not winners[0])
        found = remotes[-1].find_lease("run")
        assert found is not None
        assert (found.epoch, found.holder) == (winners[0].epoch, winners[0].holder)
        winners[0].__exit__(None, None, None)


@pytest.mark.parametrize(("sessions", "rounds"), [(2, 50), (8, 3)])
def test_of_sessions_that_start_at_once_one_has_the_next_turn(
    place: Place, remote: Remote, sessions: int, rounds: int
) -> None:
    remotes = [place.open() for _ in range(sessions)]
    last = remote.renew_lease(claim(remote, "run", None, "a"), release=True)
    for number in range(rounds):
        outcomes = at_once([Lease(remote, "run").__enter__ for remote in remotes])
        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
        assert winner.epoch == last.epoch + 1 + number
        winner.check()
        winner.__exit__(None, None, None)


def test_a_take_over_shows_at_once(place: Place, remote: Remote) -> None:
    old = Lease(remote, "run", who="root@old")
    with old:
        with pytest.raises(LeaseError, match="root@old") as refused, Lease(place.open(), "run"):
            pytest.fail("it has a live lease")
        assert "--take-over" in refused.value.hint
        old.check()
        with Lease(place.open(), "run", take_over=True, who="root@new") as new:
            for _ in range(2):
                with pytest.raises(LeaseError, match="root@new"):
                    old.check()
            new.check()
            assert new.epoch == 2
            assert "root@new" in str(old.lost)


def test_of_take_overs_at_once_one_has_the_run(place: Place, remote: Remote) -> None:
    """Each may have it for a moment, if it looked when the one before was through."""
    with Lease(remote, "run") as old, ExitStack() as stack:
        rivals = [Lease(place.open(), "run", take_over=True) for _ in range(4)]
        outcomes = at_once([rival.__enter__ for rival in rivals])
        entered = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
        for lease in entered:
            stack.push(lease)
        (winner,) = [lease for lease in entered if has_it(lease)]
        assert winner.epoch == max(lease.epoch for lease in entered)
        assert not has_it(old)


def has_it(lease: Lease) -> bool:
    try:
        lease.check()
    except LeaseError:
        return False
    return True


def test_silence_for_five_minutes_by_the_remotes_clock(place: Place, remote: Remote) -> None:
    with Lease(remote, "run") as old:
        place.clock.ahead_s = STALE_S - 30
        with pytest.raises(LeaseError):
            Lease(place.open(), "run").__enter__()
        place.clock.ahead_s = STALE_S
        with Lease(place.open(), "run") as new:
            assert new.epoch == 2
            with pytest.raises(LeaseError):
                old.check()


def test_what_was_given_back_is_free_at_once(place: Place, remote: Remote) -> None:
    with Lease(remote, "run"):
        pass
    with Lease(place.open(), "run") as new:
        assert new.epoch == 2

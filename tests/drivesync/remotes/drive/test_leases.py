"""Of any number of sessions exactly one has a run on Drive, whatever happens to their requests and to themselves."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.config import Settings
from drivesync.errors import NotFoundError, TransientError
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.folders import Folders
from drivesync.remotes.drive.leases import DriveLeases
from drivesync.remotes.places import parse_drive_place
from drivesync.testing import TOKEN, DriveEmulator, file_calls
from drivesync.testing.entries import FOLDER_TYPE, Entry
from drivesync.testing.faults import CutDownload, Delay, ErrorAnswer, Fault, LostAnswer
from drivesync.testing.matching import find_matches
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.files import LeaseRecord
    from drivesync.testing.query import Query
    from drivesync.testing.store import Store

TREE = "work/darknet"
RUN = "remote"
STALE_S = 301.0
LAG_S = 2.0
PROVEN_S = 31.0
RENEWAL_S = 60.0


class Killed(BaseException):
    """This session's process is gone."""


class MortalClient(DriveClient):
    """Dies before, or after, one of its requests.

    Attributes:
        sent: how many requests it has begun.
        dies_at: the number of the request, from 1; None for never.
        dies_after: the request is answered, but nobody hears it.
    """

    sent = 0
    dies_at: int | None = None
    dies_after = False

    def begin(self, dies_at: int, *, dies_after: bool) -> None:
        """Be as new, and die at that request."""
        self.ids.forget()
        self.sent, self.dies_at, self.dies_after = 0, dies_at, dies_after

    def send(self, *arguments: Any, **options: Any) -> Any:
        self.sent += 1
        dies = self.sent == self.dies_at
        if dies and not self.dies_after:
            raise Killed
        answer = super().send(*arguments, **options)
        if dies:
            raise Killed
        return answer


@dataclass
class Session:
    """One process, as far as leases go."""

    client: MortalClient
    leases: DriveLeases

    def claim(self, holder: str, *, at_s: float) -> LeaseRecord | None:
        """Take the run if nobody has it, or whoever has it was silent for five minutes at ``at_s``."""
        newest = self.leases.find(RUN)
        if newest is not None and newest.holder == holder:
            return newest
        if newest is not None and not newest.released and at_s - newest.renewed_s < STALE_S - 1:
            return None
        return self.leases.claim(RUN, newest, holder, f"who {holder}")


class World:
    """A Drive with a clock that can be moved, and sessions that use it."""

    def __init__(self, stack: ExitStack) -> None:
        self.ahead_s = 0.0
        self._stack = stack
        self.drive = stack.enter_context(DriveEmulator(now_ms=lambda: round(self.now_s() * 1000)))

    def now_s(self) -> float:
        return time.time() + self.ahead_s

    def open(
        self,
        tree: str = TREE,
        *,
        client: MortalClient | None = None,
        wait: Callable[[float], None] = lambda _s: None,
        settle_s: float = 0.0,
    ) -> Session:
        """A session that knows nothing yet; to open a client takes longer than all else here."""
        used = client or self.open_client()
        folders = Folders(used, parse_drive_place(tree), tree)
        # One request after the other, so that each can be the last.
        leases = DriveLeases(used, folders, settle_s=settle_s, wait=wait, aside=lambda work: work())
        return Session(used, leases)

    def open_client(self) -> MortalClient:
        settings = Settings(self.drive.url, TOKEN, retries=40)
        client = MortalClient(settings, lambda _line: None, first_wait_s=0.001)
        client.open()
        self._stack.callback(client.close)
        return client

    def records(self) -> list[Entry]:
        """All records that there are, the oldest first."""
        with self.drive.locked() as store:
            return [entry for entry in store.entries.values() if entry.name.startswith("lease-")]

    def delete(self, file_id: str) -> None:
        with self.drive.locked() as store:
            store.delete(file_id)


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def claim(session: Session, after: LeaseRecord | None, holder: str) -> LeaseRecord:
    taken = session.leases.claim(RUN, after, holder, f"who {holder}")
    assert taken is not None
    return taken


def at_once(works: list[Callable[[], LeaseRecord | None]]) -> list[LeaseRecord]:
    """What was had of claims that all begin at one moment."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], LeaseRecord | None]) -> LeaseRecord | None:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [taken for taken in pool.map(start, works) if taken is not None]


def still_has(session: Session, record: LeaseRecord) -> bool:
    try:
        return session.leases.next(record) is None
    except NotFoundError:
        return False


FAULTS = [
    pytest.param(
        [Fault(LostAnswer(), times=None, probability=0.2, call=call)], id=f"answers to {call} are lost"
    )
    for call in ("files.create", "files.*", "*")
] + [
    pytest.param([Fault(ErrorAnswer(503), times=None, probability=0.3)], id="Drive has trouble"),
    pytest.param([Fault(CutDownload(3), times=None, probability=0.2)], id="answers break off"),
    pytest.param(
        [
            Fault(Delay(0.02), times=None, probability=0.3),
            Fault(LostAnswer(), times=None, probability=0.1),
            Fault(ErrorAnswer(500), times=None, probability=0.1),
        ],
        id="all at once, and some take long",
    ),
]


@pytest.mark.parametrize("faults", FAULTS)
def test_one_has_each_turn_on_a_bad_line(world: World, faults: list[Fault]) -> None:
    for number in range(2):
        tree = f"{number}/darknet"
        sessions = [world.open(tree) for _ in range(4)]
        world.drive.inject(*faults)
        first = at_once([partial(s.leases.claim, RUN, None, f"a{at}", "") for at, s in enumerate(sessions)])
        assert len(first) == 1
        second = at_once(
            [partial(s.leases.claim, RUN, first[0], f"b{at}", "") for at, s in enumerate(sessions)]
        )
        assert len(second) == 1
        assert sessions[0].leases.next(first[0]) == second[0] == sessions[1].leases.find(RUN)
        released = sessions[2].leases.renew(second[0], release=True)
        assert released.released
        world.drive.reset()
        with world.drive.locked() as store:
            folder = find(store, f"{tree}/.drivesync")
            assert folder is not None
            kept = [entry.properties["holder"] for entry in store.children(folder.id)]
            assert kept == [first[0].holder, second[0].holder], "a candidate that lost was left"


@pytest.mark.parametrize("dies_after", [False, True], ids=["before it is sent", "after it is answered"])
@pytest.mark.parametrize("turn", ["first", "second", "tenth"])
def test_killed_at_any_request_it_blocks_nobody_for_long(world: World, turn: str, dies_after: bool) -> None:  # noqa: FBT001 - pytest names it
    client, others = world.open_client(), world.open_client()
    for number in range(1, 100):
        tree = f"{number}/darknet"
        if turn != "first":
            record = claim(world.open(tree, client=others), None, "before")
            for later in range(8 if turn == "tenth" else 0):
                record = claim(world.open(tree, client=others), record, f"before {later}")
            world.open(tree, client=others).leases.renew(record, release=True)
        client.begin(number, dies_after=dies_after)
        mortal = world.open(tree, client=client)
        try:
            taken = mortal.claim("mortal", at_s=world.now_s())
            assert taken is not None
            mortal.leases.renew(taken)
            came_through = True
        except Killed:
            came_through = False
        # A session that starts now may be told to wait, but only for as long as a lease lasts.
        now = world.open(tree, client=others).claim("now", at_s=world.now_s())
        world.ahead_s += STALE_S
        last = world.open(tree, client=others).claim("last", at_s=world.now_s())
        assert last is not None
        assert last.holder == "last"
        if now is not None:
            assert world.open(tree, client=others).leases.next(now) == last
        # It is not dead after all: it goes on, and finds that it has lost.
        client.dies_at = None
        assert mortal.claim("mortal", at_s=world.now_s()) is None
        assert still_has(world.open(tree, client=others), last)
        if came_through:
            assert now is None
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("dies_after", [False, True], ids=["before it is sent", "after it is answered"])
def test_a_claim_that_was_cut_short_can_be_repeated(world: World, dies_after: bool) -> None:  # noqa: FBT001 - pytest names it
    client = world.open_client()
    for number in range(1, 100):
        client.begin(number, dies_after=dies_after)
        session = world.open(f"{number}/darknet", client=client)
        try:
            taken = session.leases.claim(RUN, None, "a", "")
        except Killed:
            again = session.claim("a", at_s=world.now_s())
            assert again is not None
            assert (again.holder, again.epoch) == ("a", 1)
        else:
            assert taken is not None
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("seed", range(6))
def test_one_is_left_of_sessions_that_are_stopped_and_continued_anywhere(world: World, seed: int) -> None:
    """The requests of four sessions in any order, one after the other."""
    chosen = random.Random(seed)
    for number in range(5):
        sessions = [world.open(f"{number}/darknet") for _ in range(4)]
        turns = Turns(len(sessions), chosen)
        for at, session in enumerate(sessions):
            session.client.send = turns.taking(at, session.client.send)  # type: ignore[method-assign]
        with ThreadPoolExecutor(len(sessions)) as pool:
            claims = [
                pool.submit(turns.ending, at, partial(session.leases.claim, RUN, None, str(at), ""))
                for at, session in enumerate(sessions)
            ]
            had = [taken for taken in (claim.result() for claim in claims) if taken is not None]
        assert len(had) == 1
        assert still_has(world.open(f"{number}/darknet"), had[0])


class Turns:
    """Lets one of several threads go on at a time, from one request to the next, in an order of chance."""

    def __init__(self, count: int, chosen: random.Random) -> None:
        self._changed = threading.Condition()
        self._running = set(range(count))
        self._waiting: set[int] = set()
        self._next: int | None = None
        self._chosen = chosen

    def taking(self, at: int, send: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*arguments: Any, **options: Any) -> Any:
            with self._changed:
                self._waiting.add(at)
                self._choose()
                self._changed.wait_for(lambda: self._next == at)
                self._next = None
                self._waiting.remove(at)
            return send(*arguments, **options)

        return taken

    def ending(self, at: int, work: Callable[[], LeaseRecord | None]) -> LeaseRecord | None:
        try:
            return work()
        finally:
            with self._changed:
                self._running.remove(at)
                self._choose()

    def _choose(self) -> None:
        if self._next is None and self._waiting and self._waiting == self._running:
            # Mostly the same one again: so the others are stopped for long.
            self._next = min(self._waiting) if self._chosen.random() < 0.5 else self._draw()
            self._changed.notify_all()

    def _draw(self) -> int:
        return self._chosen.choice(sorted(self._waiting))


class Lag:
    """What listings do not show yet.

    Attributes:
        lag_s: what was made shows only so many seconds later, by Drive's clock.
        hidden: what does not show at all.
    """

    def __init__(self) -> None:
        self.lag_s = 0.0
        self.hidden: set[str] = set()

    def find(self, store: Store, query: Query | None) -> list[Entry]:
        newest_ms = store.now_ms() - self.lag_s * 1000
        return [
            entry
            for entry in find_matches(store, query)
            if entry.created_ms <= newest_ms and entry.id not in self.hidden
        ]


@pytest.fixture
def lag(monkeypatch: pytest.MonkeyPatch) -> Lag:
    lag = Lag()
    monkeypatch.setattr(file_calls, "find_matches", lag.find)
    return lag


def pass_time(world: World, seconds: float) -> None:
    world.ahead_s += seconds


def test_listings_may_lag(world: World, lag: Lag) -> None:
    lag.lag_s = LAG_S
    for number in range(8):
        wait = partial(pass_time, world)
        sessions = [world.open(f"{number}/darknet", wait=wait, settle_s=LAG_S) for _ in range(3)]
        had = at_once([partial(s.leases.claim, RUN, None, str(at), "") for at, s in enumerate(sessions)])
        assert len(had) == 1
        pass_time(world, LAG_S)
        assert world.open(f"{number}/darknet").leases.find(RUN) == had[0]
        # The next turns show nowhere yet: they are found by their ids.
        second = claim(sessions[0], had[0], "second")
        third = claim(sessions[1], second, "third")
        assert world.open(f"{number}/darknet").leases.find(RUN) == third


def test_where_listings_lag_longer_than_anybody_thought_one_is_left_in_the_end(
    world: World, lag: Lag
) -> None:
    first, second = world.open(), world.open()
    early = claim(first, None, "early")
    lag.hidden.add(early.id)
    late = claim(second, None, "late")
    assert world.open().leases.next(early) is not None, "what does not show has lost, or both would go on"
    assert second.leases.next(late) is None
    lag.hidden.clear()
    assert world.open().leases.next(late) == early
    assert world.open().leases.next(early) is None
    assert world.open().leases.find(RUN) == early


def test_a_candidate_that_never_shows_is_taken_back(world: World, lag: Lag) -> None:
    with world.drive.locked() as store:
        make_folders(store, f"{TREE}/.drivesync")
    pass_time(world, 7_200)
    lag.lag_s = 3_600
    with pytest.raises(TransientError, match="does not list"):
        world.open().leases.claim(RUN, None, "a", "")
    assert world.records() == []


def test_a_run_is_found_in_whichever_folder_its_records_are(world: World) -> None:
    with world.drive.locked() as store:
        tree = make_folders(store, TREE).id
        folders = [
            store.create(Metadata(name=".drivesync", parents=(tree,), mime_type=FOLDER_TYPE)).id
            for _ in range(2)
        ]
    mine = claim(world.open(), None, "a")
    with world.drive.locked() as store:
        assert store.get(mine.id).parents == (folders[0],), "the oldest is not the one that is used"
        store.update(mine.id, Metadata(), add_parents=(folders[1],), remove_parents=(folders[0],))
    assert world.open().leases.find(RUN) == mine
    assert world.open().leases.claim(RUN, None, "b", "") is None
    assert claim(world.open(), mine, "c").epoch == 2


@pytest.mark.parametrize("path", [TREE, f"{TREE}/.drivesync"])
def test_what_was_thrown_into_the_trash_is_gone(world: World, path: str) -> None:
    session = world.open()
    mine = claim(session, None, "a")
    with world.drive.locked() as store:
        thrown = find(store, path)
        assert thrown is not None
        store.update(thrown.id, Metadata(trashed=True))
    pass_time(world, PROVEN_S)
    with pytest.raises(NotFoundError):
        session.leases.next(mine)
    with pytest.raises(NotFoundError):
        session.leases.renew(mine)
    other = world.open()
    assert other.leases.find(RUN) is None
    assert claim(other, None, "b").epoch == 1


def test_old_turns_are_deleted_the_oldest_first_and_with_the_candidates_of_the_dead(world: World) -> None:
    session = world.open()
    record = claim(session, None, "a")
    with world.drive.locked() as store:
        parent = store.get(record.id).parents
        said = {"epoch": "1", "next": "unused", "holder": "dead", "who": "dead"}
        stray = store.create(Metadata(name=store.get(record.id).name, parents=parent, app_properties={}))
        stray.properties = dict(said)
        deleted: list[str] = []
        delete = store.delete

        def noting(file_id: str) -> None:
            deleted.append(file_id)
            delete(file_id)

        store.delete = noting  # type: ignore[method-assign]
    made = [record.id]
    for number in range(15):
        record = claim(session, record, f"later {number}")
        made.append(record.id)
        # Sessions that end within a minute leave it to a later one.
        if number > 11:
            pass_time(world, RENEWAL_S)
            session.leases.renew(session.leases.renew(record))
    assert deleted == [stray.id, *made[:-9]]
    assert [entry.id for entry in world.records()] == made[-9:]
    newest = world.open().leases.find(RUN)
    assert newest is not None
    assert newest.id == record.id


def test_an_id_that_is_free_again_gives_nobody_a_turn(world: World) -> None:
    """Should Drive ever let the id of a deleted file be used again."""
    session = world.open()
    first = claim(session, None, "a")
    record = second = claim(session, first, "b")
    for number in range(3):
        record = claim(session, record, f"later {number}")
    pass_time(world, RENEWAL_S)
    world.delete(first.id)
    world.delete(second.id)
    with world.drive.locked() as store:
        store.ids.used.intersection_update(store.entries)
    assert world.open().leases.claim(RUN, first, "sleeper", "") is None
    assert len(world.records()) == 3
    assert world.open().leases.find(RUN) == record


def test_a_session_deletes_nothing_in_its_first_minute(world: World) -> None:
    """What others were told by Drive just now depends on it."""
    session = world.open()
    record = claim(session, None, "a")
    for number in range(12):
        record = claim(session, record, f"later {number}")
        record = session.leases.renew(record)
    assert len(world.records()) == 13
    pass_time(world, RENEWAL_S)
    session.leases.renew(record)
    assert len(world.records()) == 9


def test_a_renewal_proves_nothing_of_the_turns_behind_it(world: World) -> None:
    """A sleeper's record is renewed just before it is deleted, with the one behind it."""
    sleeper, session = world.open(), world.open()
    mine = record = claim(sleeper, None, "sleeper")
    pass_time(world, RENEWAL_S)
    for number in range(10):
        record = claim(session, record, f"later {number}")
    pass_time(world, RENEWAL_S)
    mine = sleeper.leases.renew(mine)
    session.leases.renew(record)
    assert {entry.id for entry in world.records()}.isdisjoint({mine.id, mine.next_id})
    with pytest.raises(NotFoundError):
        sleeper.leases.next(mine)


def test_who_finds_a_turn_that_was_given_back_and_is_not_the_newest_is_told_by_the_claim(
    world: World, lag: Lag
) -> None:
    session = world.open()
    first = session.leases.renew(claim(session, None, "a"), release=True)
    second = session.leases.renew(claim(session, first, "b"), release=True)
    third = claim(session, second, "c")
    lag.hidden |= {second.id, third.id}
    other = world.open()
    assert other.leases.find(RUN) == first
    assert other.leases.claim(RUN, first, "other", "") is None
    assert other.leases.find(RUN) == third


@pytest.mark.parametrize("trashed", [True, False], ids=["into the trash", "for good"])
def test_a_folder_that_was_remembered_and_is_deleted_is_made_again(world: World, trashed: bool) -> None:  # noqa: FBT001 - pytest names it
    session = world.open()
    first = session.leases.renew(claim(session, None, "a"), release=True)
    with world.drive.locked() as store:
        folder = find(store, f"{TREE}/.drivesync")
        assert folder is not None
        if trashed:
            store.update(folder.id, Metadata(trashed=True))
        else:
            store.delete(folder.id)
    assert session.leases.claim(RUN, first, "b", "") is None
    assert session.leases.find(RUN) is None
    again = claim(session, None, "b")
    assert again.epoch == 1
    assert world.open().leases.find(RUN) == again


def test_ids_are_asked_for_while_the_folders_are_looked_for(world: World) -> None:
    client = world.open_client()
    asked: list[Callable[[], None]] = []
    leases = DriveLeases(client, Folders(client, parse_drive_place(TREE), TREE), aside=asked.append)
    for _ in range(2):
        assert leases.find(RUN) is None
    (ask,) = asked
    before = client.sent
    ask()
    client.ids.take()
    assert client.sent == before + 1
    world.drive.inject(Fault(ErrorAnswer(403), times=None))
    client.ids.forget()
    ask()


def test_what_a_session_costs(world: World) -> None:
    session = world.open()

    def count(work: Callable[[], object]) -> int:
        before = session.client.sent
        work()
        return session.client.sent - before

    first = claim(session, None, "a")
    second = claim(session, first, "b")
    assert session.leases.next(first) == second
    assert count(lambda: session.leases.next(second)) == 1
    pass_time(world, PROVEN_S)
    assert count(lambda: session.leases.next(second)) == 2, "too long ago for a proof"
    pass_time(world, PROVEN_S - 2)
    assert count(lambda: session.leases.next(second)) == 1
    pass_time(world, PROVEN_S - 2)
    assert count(lambda: session.leases.next(second)) == 1, "what was proven proves no more"
    assert count(lambda: session.leases.find(RUN)) == 3
    assert count(lambda: session.leases.renew(second, release=True)) == 1
    assert count(lambda: session.leases.find(RUN)) == 1, "what was given back was asked for"
    pass_time(world, PROVEN_S)
    assert count(lambda: claim(session, second, "c")) == 2

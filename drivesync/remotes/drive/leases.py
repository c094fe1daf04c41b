"""Who may write a run, kept on Drive so that of any number of sessions exactly one has each turn.

    REMOTE/.drivesync/lease-KEY     one empty file for each turn (and each candidate for the first), all of one name;
                                    what it says is in its properties: epoch, next, previous, holder, who, renewed,
                                    released

They are properties and not appProperties, which only the OAuth client that wrote them can read: a session in Colab
and one on a laptop that logged in with another client have to see each other.

What is relied upon. Reading, making, changing and deleting a file by its id is consistent: whoever asks after the
answer sees it. Of two creates with one pre-generated id one is answered 409. A listing may lag, but shows whatever
Drive stamped more than ``settle_s`` ago. Only Drive's clock is ever compared: createdTime, which Drive stamps, and the
Date of its answers.

The turns from the second on. The record of turn N holds an id that was generated when it was made; the session that
makes the file with this id has turn N + 1. That is a compare-and-set: whatever a listing says, however often a
request is repeated, whenever a process is stopped, killed or continued between two requests, Drive makes that file
once. A 409 is somebody else's turn, or our own lost answer: the holder tells. Two things could undo this, and do not:

- The next record was deleted by age, so that its id is free again, or seems never to have been used. Records are
  deleted in the order of their epochs, each only after the answer to the one before. So while record N is there, N + 1
  was not deleted. Who finds no N + 1 looks for N *afterwards*: it is there, then nobody took the turn; it is gone,
  then the turn ended long ago. A claim does the same after it made N + 1, and takes it back if N is gone.
  That second look is spared where the time proves what it would show. A session deletes nothing in the first
  ``_DELETES_AFTER_S`` after it made its own record, and never what comes behind that. At some moment T it was known
  that nobody had taken turn N + 1: when N was made, as Drive stamped it; or when both looks showed it, as Drive dated
  the first answer; or when this proof did. So N + 1 was made after T, if ever; it is deleted by a session of a later
  turn, which began after T, too; hence not before T + ``_DELETES_AFTER_S``. An N + 1 that is not there at
  T + ``_PROVEN_FOR_S``, or that is made by then, was never made before. Drive's clocks may differ by the rest. (That a
  person threw the record away is noticed by so much later.) That N alone was seen, as by a renewal, proves less: many
  turns may have begun since anybody looked behind it, and the last of them may be about to delete.
- The newest record does not show yet. From whichever record a listing shows, the chain is followed by ids. Only behind
  one that was given back, which is for good, the next is made at once: if it is there, the 409 says so, and the chain
  is followed from then on.

The first turn has no id that all could know, so it goes by the order in which Drive stamps. Each session makes a
candidate, an ordinary record of epoch 1 with a next id of its own; waits ``settle_s``; lists until its own is among
them; and has the turn if its own is the earliest by createdTime, then by id. Whoever is later sees the earlier one,
which was stamped before, and so was shown when the later one's wait is over: one wins. What may happen in between:

- A session dies, or is stopped, after it made its candidate. If it is the earliest it *is* turn 1, there is nothing to
  confirm: it is not renewed, so it goes stale as any other, and turn 2 is taken by its next id. If it is not, it is of
  no account, and is deleted with the oldest turns. If it is continued later it lists, and finds what all find.
- A session looks for records, is stopped before it makes its candidate, and goes on days later: its candidate is the
  latest, or there is a record of a higher epoch. It loses.
- The answer to a create is lost: it is repeated with the same id. A whole claim that failed is repeated: a candidate
  of the same holder is found by the listing. If two of its own exist, the earlier counts, for the same holder.
- The folder is made twice at the same moment, as Drive's names are not unique: whoever made it waits, looks anew and
  takes the oldest, as all do from then on, and lists look into all of them. So too for the tree's own folder.
- The listing lags longer than that, against what is relied upon, and two have the first turn. As long as it lasts
  ``next`` lists, too, once a minute, and the one that is not current by ``order_turns`` has lost: a minute after the
  listing has caught up one is left.

A candidate that lost is deleted by its maker. What is older than the last few turns is deleted by the session that has
the run, when it renews for the first time.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError, NotFoundError, TransientError
from drivesync.files import STATE_FOLDER, LeaseRecord
from drivesync.remotes.drive.lease_records import (
    FIELDS,
    RELEASED,
    LeaseRecords,
    gone,
    name_of,
    read_record,
    say,
)
from drivesync.remotes.drive.search import ask_by_name
from drivesync.turns import order_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.folders import Folders

_SETTLE_S = 3.0
_LOOKS = 5
_RIVALS_EVERY_S = 60.0
_DELETES_AFTER_S = 50.0
"""A session that renews every minute does it the first time."""

_PROVEN_FOR_S = 30.0
_KEPT = 8
"""So many turns before the current one keep their records, for people; nothing depends on it."""


def _start(work: Callable[[], None]) -> None:
    """Have ``work`` done in a thread that keeps no process from its end."""
    threading.Thread(target=work, name="ids for leases", daemon=True).start()


class DriveLeases:
    """The leases on the runs of one tree; safe to use from several threads.

    Args:
        client: opened before the first call.
        folders: of the tree.
        settle_s: what Drive has stamped so many seconds ago is in its listings.
        wait: waits so many seconds.
        elapsed_s: seconds from any moment on.
        aside: does what it is given at the same time.
    """

    def __init__(
        self,
        client: DriveClient,
        folders: Folders,
        *,
        settle_s: float = _SETTLE_S,
        wait: Callable[[float], None] = time.sleep,
        elapsed_s: Callable[[], float] = time.monotonic,
        aside: Callable[[Callable[[], None]], None] = _start,
    ) -> None:
        self._client = client
        self._folders = folders
        self._records = LeaseRecords(client, folders)
        self._settle_s = settle_s
        self._wait = wait
        self._elapsed_s = elapsed_s
        self._aside = aside
        self._has_asked_ahead = False
        self._rivals_at_s: dict[str, float] = {}
        # When it was last known that nobody had taken the turn behind a record, by the record's id.
        self._untaken_s: dict[str, float] = {}
        # Records that were given back, and are not the newest.
        self._passed: set[str] = set()

    def find(self, run: str) -> LeaseRecord | None:
        """See ``Remote.find_lease``; one that was given back may have a successor that no listing shows yet."""
        self._ask_ahead()
        # What is remembered of the folders does, unless there is nothing in them: then others may have their place.
        for is_anew in (False, True):
            for listed in self._list(run, anew=is_anew):
                if listed.released and listed.id not in self._passed:
                    return listed
                # What was deleted may still be listed.
                if (newest := self._follow(listed)) is not None:
                    return newest
        return None

    def claim(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """See ``Remote.claim_lease``; the first turn of a run takes ``settle_s``, or twice that."""
        if after is None:
            return self._claim_first(run, holder, who)
        taken = self._records.make(after.next_id, run, say(after.epoch + 1, after.id, holder, who))
        if taken is None or taken.holder != holder:
            self._passed.add(after.id)
            return None
        if not self._is_proven(after, taken.since_s) and self._records.look(after.id) is None:
            # So the turn behind it may have been had, and deleted, before.
            self._discard(taken)
            return None
        return taken

    def renew(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """See ``Remote.renew_lease``; the first time, what is left of the oldest turns is deleted."""
        if release:
            return self._records.change(record, {RELEASED: "true"})
        # A session that is stopped behind this line must not say later that it was there then.
        now_s, age_s = self._now_s(record)
        renewed = self._records.change(record, {"renewed": f"{now_s:.3f}"})
        if record.renewed_s - record.since_s < _DELETES_AFTER_S <= age_s:
            # Nothing but order depends on it, and the next session tries again.
            with suppress(DrivesyncError):
                self._prune(record)
        return renewed

    def next(self, record: LeaseRecord) -> LeaseRecord | None:
        """See ``Remote.next_lease``."""
        if (successor := self._find_next(record)) is not None:
            return successor
        return self._find_rival(record) if record.epoch == 1 and self._may_have_rival(record) else None

    def _ask_ahead(self) -> None:
        """Have ids ready for a claim, which mostly comes next; of the many that are asked for one is given up."""

        def ask() -> None:
            # Whoever needs one asks again.
            with suppress(DrivesyncError):
                self._client.ids.take()

        if not self._has_asked_ahead:
            self._has_asked_ahead = True
            self._aside(ask)

    def _find_next(self, record: LeaseRecord) -> LeaseRecord | None:
        """The turn behind ``record``; None if nobody has taken it.

        Raises:
            NotFoundError: ``record`` is gone.
        """
        dates: list[float] = []
        successor = self._records.look(record.next_id, dates)
        if successor is not None:
            return read_record(successor, record.run)
        asked_s = dates[-1]
        # Looked at afterwards: while it is there, no record behind it was deleted.
        if not self._is_proven(record, asked_s) and self._records.look(record.id) is None:
            raise gone(record)
        self._untaken_s[record.id] = asked_s
        return None

    def _is_proven(self, record: LeaseRecord, at_s: float) -> bool:
        """Whether a turn behind ``record`` that was not there at ``at_s``, by Drive's clock, was never there before."""
        return at_s - max(record.since_s, self._untaken_s.get(record.id, -math.inf)) < _PROVEN_FOR_S

    def _claim_first(self, run: str, holder: str, who: str) -> LeaseRecord | None:
        self._make_folder()
        listed = self._list(run, anew=False)
        mine = next((record for record in listed if record.holder == holder), None)
        if mine is None and not listed:
            mine = self._records.make(self._client.ids.take(), run, say(1, "", holder, who))
        if mine is None:
            return None
        for _ in range(_LOOKS):
            self._wait(self._settle_s)
            listed = self._list(run, anew=True)
            if any(record.id == mine.id for record in listed):
                return self._settle(mine, listed[0])
        self._discard(mine)
        raise TransientError(f"claiming {run}: Drive does not list what was just made there")

    def _settle(self, mine: LeaseRecord, first: LeaseRecord) -> LeaseRecord | None:
        """Whether the candidate ``mine`` is the first turn, where ``first`` is current."""
        if first.holder == mine.holder:
            return first
        # Behind a turn that came later than the first, mine may be a part of the chain.
        if first.epoch == 1:
            self._discard(mine)
        return None

    def _may_have_rival(self, record: LeaseRecord) -> bool:
        """Whether it is time to look again."""
        now_s = self._elapsed_s()
        if now_s < self._rivals_at_s.get(record.id, now_s):
            return False
        self._rivals_at_s[record.id] = now_s + _RIVALS_EVERY_S
        return True

    def _find_rival(self, record: LeaseRecord) -> LeaseRecord | None:
        """What is current instead of ``record``, which is a first turn; None if it is that itself."""
        listed = self._list(record.run, anew=True)
        if not listed or listed[0].id == record.id:
            return None
        rival = self._records.look(listed[0].id)
        return None if rival is None else read_record(rival, record.run)

    def _follow(self, record: LeaseRecord) -> LeaseRecord | None:
        """The last of the chain that ``record`` is in, as it is now; None if it is gone."""
        at = record
        dates: list[float] = []
        while (later := self._records.look(at.next_id, dates)) is not None:
            at = read_record(later, record.run)
        # Looked at afterwards: while it is there, no record behind it was deleted.
        entry = self._records.look(at.id)
        if entry is None:
            return None
        self._untaken_s[at.id] = dates[-1]
        return read_record(entry, record.run)

    def _list(self, run: str, *, anew: bool) -> list[LeaseRecord]:
        """What shows of the run's turns, the current one first; ``anew`` from folders as they are now."""
        if anew:
            self._folders.forget()
        name = name_of(run)
        found: list[LeaseRecord] = []
        # One by one, for Drive may leave out one of several parents.
        for folder in self._folders.find(STATE_FOLDER):
            try:
                entries = ask_by_name(self._client, (folder,), name, fields=FIELDS)
            except NotFoundError:
                continue
            found += (read_record(entry, run) for entry in entries if "epoch" in entry.get("properties", {}))
        return order_turns(found)

    def _make_folder(self) -> None:
        """Have the folder that all sessions take for the records."""
        for _ in range(_LOOKS):
            if self._folders.find(STATE_FOLDER):
                return
            self._folders.make(STATE_FOLDER)
            # Another session may have made one, or the tree's own folder, at the same moment.
            self._wait(self._settle_s)
            self._folders.forget()

    def _discard(self, record: LeaseRecord) -> None:
        """Delete what is of no account, if Drive lets us: in a shared drive not everybody may."""
        with suppress(DrivesyncError):
            self._records.delete(record.id)

    def _prune(self, record: LeaseRecord) -> None:
        """Delete what lies more than a few turns back, the oldest first, each after the answer to the one before."""
        chain: list[Json] = []
        at = self._records.look(record.id)
        while at is not None and (previous := at["properties"].get("previous")):
            at = self._records.look(previous)
            chain += [] if at is None else [at]
        old = [read_record(entry, record.run) for entry in chain[_KEPT:]]
        if not old:
            return
        in_chain = {record.id, *(entry["id"] for entry in chain)}
        # Candidates whose makers died: without the first turn the earliest of them would be current in its place.
        strays = [
            listed
            for listed in self._list(record.run, anew=True)
            if listed.epoch <= old[0].epoch and listed.id not in in_chain
        ]
        for doomed in sorted(strays + old, key=lambda one: (one.epoch, one.id in in_chain)):
            self._records.delete(doomed.id)

    def _now_s(self, record: LeaseRecord) -> tuple[float, float]:
        """Drive's time, from an answer that was given just now; and how old ``record`` is at least."""
        dates: list[float] = []
        if self._records.look(record.id, dates) is None:
            raise gone(record)
        return self._client.now_s(), dates[-1] - record.since_s

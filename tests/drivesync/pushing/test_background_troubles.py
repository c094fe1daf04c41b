"""What a training meets in a night: Drive is away, a token dies, room runs out, another session takes the run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.oauth2.credentials import Credentials

from drivesync.errors import LeaseError, NotAllowedError, RemoteFullError
from drivesync.leasing.leases import Leases
from drivesync.push import Pusher
from drivesync.pushing.background import BackgroundPusher
from drivesync.pushing.standing import Standing, make_record
from drivesync.remotes.drive.kept import forget_login, keep_login
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused
from drivesync.testing import Costs, ErrorAnswer, Fault
from drivesync.testing.metadata import Metadata
from drivesync.testing.oauth import CLIENT_ID, CLIENT_SECRET, DRIVE_SCOPE
from drivesync.testing.trees import find
from drivesync.watch import keep_pushed
from tests.drivesync.conftest import FIRST_WAIT_S

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.config import Settings
    from drivesync.files import Receipt
    from drivesync.index import Index
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes, Tree

LAST = "backup/run_last.weights"
REDIRECT = "http://127.0.0.1:1/"


def on_drive(drive: DriveEmulator) -> dict[str, bytes]:
    return drive.read_tree("darknet")


class Simulated:
    """Time that passes only in waits, and so in no time; whoever waits gives others a moment."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def wait(self, condition: threading.Condition, is_over: Callable[[], bool], timeout_s: float) -> bool:
        if not is_over():
            self.now_s += timeout_s
            self.waits_s.append(timeout_s)
            condition.wait(0.001)
        return is_over()


@pytest.fixture
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def log_in(drive: DriveEmulator, settings: Settings) -> Settings:
    """Make and keep a login at the emulator; returned are settings under which it is found."""
    with drive.locked():
        authority = drive.app.authority
        wish = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT, "response_type": "code"}
        address = authority.authorize(
            {**wish, "scope": DRIVE_SCOPE, "access_type": "offline", "prompt": "consent"}
        )
        code = address.partition("code=")[2].partition("&")[0].replace("%2F", "/")
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        form = {**client, "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        granted = authority.give_token(form)
    found = replace(settings, access_token="")
    token_uri = f"{drive.url}/emulator/oauth/token"
    keep_login(found, Credentials(None, granted["refresh_token"], None, token_uri, **client))
    return found


def test_ten_minutes_without_drive(
    pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    """Saving goes on, the pauses grow to a minute, and all that is to arrive does."""
    clock = Simulated()
    drive_emulator.__exit__(None, None, None)
    tree.save("run_last.weights", 1)
    with pusher:
        pusher.offer(LAST)
    with BackgroundPusher(pusher, notes, print, clock=clock, wait=clock.wait) as background:
        saved = 1
        while clock.now_s < 600:
            saved += 1
            tree.save("run_last.weights", saved)
            assert isinstance(background.offer(LAST), (Entry, Refused))
            # It may have been in the hands of the pusher just now.
            assert sum(entry.path == LAST for entry in background.pending) <= 2
            if saved <= 4:
                tree.save(f"run_{saved}.weights", saved)
                background.offer(f"backup/run_{saved}.weights")
            time.sleep(0.002)
        waits_s = list(clock.waits_s)
        drive_emulator.__enter__()
        content = tree.save("run_last.weights", saved + 1)
        background.offer(LAST)
        assert background.wait_until_safe(20)
    assert waits_s[:6] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert set(waits_s[6:]) == {60.0}
    assert on_drive(drive_emulator)[LAST] == content
    assert len(on_drive(drive_emulator)) == 4
    assert sum(line.startswith("waiting to push") for line in notes.lines) == 1 + len(waits_s) // 10


@pytest.mark.usefixtures("_at_home")
def test_a_token_that_is_dead_until_somebody_logs_in_again(
    tree: Tree,
    settings: Settings,
    index: Index,
    accept: Accept,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
) -> None:
    settings = log_in(drive_emulator, settings)
    with DriveRemote("darknet", settings, first_wait_s=FIRST_WAIT_S) as remote:
        pusher = Pusher(tree.root, remote, index, accept, notes)
        with BackgroundPusher(pusher, notes, print, first_pause_s=0.01) as background:
            tree.save("run_last.weights", 100)
            background.offer(LAST)
            assert background.wait_until_safe(20)
            with drive_emulator.locked():
                drive_emulator.app.authority.revoke_all()
            content = tree.save("run_last.weights", 200)
            background.offer(LAST)
            wait_for(lambda: isinstance(background.trouble, NotAllowedError))
            wait_for(lambda: notes.lines[-1].startswith("waiting to push"))
            assert "drivesync login" in notes.lines[-1]
            # The file with the login may be gone in between.
            forget_login(settings)
            log_in(drive_emulator, settings)
            assert background.wait_until_safe(20)
    assert on_drive(drive_emulator) == {LAST: content}


def test_while_there_is_no_room_what_is_smaller_goes(
    pusher: Pusher,
    tree: Tree,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
) -> None:
    """What is too large is tried again after a minute, and no sooner."""
    clock = Simulated()
    tiny = tree.weights(7)[:-8]
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = store.used_bytes + len(tree.weights(1)) - 1
    with BackgroundPusher(pusher, notes, print, clock=clock, first_pause_s=60.0) as background:
        content = tree.save("run_last.weights", 100)
        background.offer(LAST)
        wait_for(lambda: isinstance(background.trouble, RemoteFullError))
        (tree.root / "backup" / "tiny.weights").write_bytes(tiny)
        background.offer("backup/tiny.weights")
        wait_for(lambda: [entry.path for entry in background.pending] == [LAST])
        assert isinstance(background.trouble, RemoteFullError)
        tries = drive_emulator.counters()["files.create.resumable"].requests
        with drive_emulator.locked() as store:
            store.storage_limit_bytes = None
        (tree.root / "backup" / "tiny.weights").write_bytes(tiny[:-1])
        background.offer("backup/tiny.weights")
        wait_for(lambda: [entry.path for entry in background.pending] == [LAST])
        assert drive_emulator.counters()["files.create.resumable"].requests <= tries + 1
        clock.now_s += 60.0
        # Whatever is offered wakes it.
        background.offer(LAST)
        assert background.wait_until_safe(20)
        wait_for(lambda: background.trouble is None)
    assert on_drive(drive_emulator) == {LAST: content, "backup/tiny.weights": tiny[:-1]}


def test_what_is_left_at_the_end_is_told(
    pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(403, "dailyLimitExceeded"), times=None))
    with BackgroundPusher(pusher, notes, print, first_pause_s=0.01) as background:
        assert background.describe_pending() == ""
        for number in range(7):
            tree.save(f"run_{number}.weights", number)
            background.offer(f"backup/run_{number}.weights")
        began_s = time.monotonic()
        assert not background.wait_until_safe(0.05)
        assert time.monotonic() - began_s < 10
        said = background.describe_pending()
    assert said.startswith("7 file(s) are not on the remote yet: backup/run_6.weights (36 bytes), ")
    assert said.endswith(" and 2 more")


class TestLost:
    def test_another_session_takes_the_run(
        self,
        tree: Tree,
        remote: DriveRemote,
        index: Index,
        accept: Accept,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
    ) -> None:
        lost: list[LeaseError] = []

        def tell(error: LeaseError) -> None:
            lost.append(error)
            raise ValueError("whoever is told fails")

        with Leases(remote) as leases, Leases(remote, take_over=True) as others:
            pusher = Pusher(tree.root, remote, index, accept, notes, leases=leases)
            with BackgroundPusher(pusher, notes, print, on_lost=tell, first_pause_s=0.01) as background:
                before = tree.save("run_last.weights", 100)
                background.offer(LAST)
                assert background.wait_until_safe(20)
                others.hold("backup/run")
                tree.save("run_last.weights", 200)
                background.offer(LAST)
                wait_for(lambda: lost)
                # It is known at once that waiting is in vain.
                assert not background.wait_until_safe(20)
                assert background.lost is lost[0]
                other = tree.save("other_last.weights", 1)
                background.offer("backup/other_last.weights")
                wait_for(lambda: len(background.pending) == 1)
        assert len(lost) == 1
        there = {path: data for path, data in on_drive(drive_emulator).items() if path.startswith("backup")}
        assert there == {LAST: before, "backup/other_last.weights": other}
        assert (tree.root / LAST).read_bytes() == tree.weights(200)

    def test_a_straggler_is_found_and_replaced(
        self,
        tree: Tree,
        remote: DriveRemote,
        index: Index,
        accept: Accept,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
    ) -> None:
        with Leases(remote) as earlier:
            earlier.hold("backup/run")
        with Leases(remote) as leases:
            pusher = Pusher(tree.root, remote, index, accept, notes, leases=leases)
            with BackgroundPusher(
                pusher, notes, print, audit_every_s=0.01, wait=_look_often, first_pause_s=0.01
            ) as background:
                content = tree.save("run_last.weights", 100)
                background.offer(LAST)
                assert background.wait_until_safe(20)
                drive_emulator.put(f"darknet/{LAST}", tree.weights(900))
                with drive_emulator.locked() as store:
                    entry = find(store, f"darknet/{LAST}")
                    assert entry is not None
                    assert entry.head is not None
                    said = make_record(Standing(900, epoch=1), md5=entry.head.content.md5, sha256="")
                    store.update(entry.id, Metadata(app_properties={**said}))
                wait_for(lambda: on_drive(drive_emulator)[LAST] == content)


def _look_often(condition: threading.Condition, is_over: Callable[[], bool], timeout_s: float) -> bool:
    return condition.wait_for(is_over, min(timeout_s, 0.01))


def test_saved_far_faster_than_drive_takes_it(
    tree: Tree,
    remote: DriveRemote,
    accept: Accept,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
) -> None:
    """A minute of saves every 200 ms, with Drive at 2 s a request, as fast as this machine saves."""
    drive_emulator.set_costs(Costs(latency_s=0.1))
    safe: list[Receipt] = []
    most = saves = 0
    with keep_pushed(
        tree.root, remote, ("backup/*.weights",), accept, reporter=notes, on_safe=safe.append
    ) as background:
        while saves < 200 or len(safe) < 3:
            saves += 1
            content = tree.save("run_last.weights", saves)
            time.sleep(0.01)
            # The one under way is no longer in the queue.
            most = max(most, len(background.pending) - 1)
            kept = list((tree.root / ".drivesync" / "spool").glob("[0-9]*"))
            # One that is kept, one under way, one that waits, and one that is being taken.
            assert len(kept) <= 4
        wait_for(lambda: safe and safe[-1].iteration == saves)
    assert most <= 1
    assert len(safe) < saves / 3
    assert [receipt.iteration for receipt in safe] == sorted(receipt.iteration or 0 for receipt in safe)
    assert on_drive(drive_emulator)[LAST] == content

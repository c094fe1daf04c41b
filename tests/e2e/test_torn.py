"""A weights file that is torn, has a wild header or holds NaN is never pushed and never resumed from."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.e2e.conftest import Session

HEADER_BYTES = 20
SEED = 20261123


def ruins_of(whole: bytes) -> Iterator[bytes]:
    """What a weights file may be turned into: cut anywhere, with another header, with numbers that are none."""
    chance = random.Random(SEED)
    edges = (0, 1, 12, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 4, len(whole) - 4, len(whole) - 1)
    for length in (*edges, *(chance.randrange(len(whole)) for _ in range(12))):
        yield whole[:length]
    yield whole + b"\0\0\0\0"
    yield bytes(len(whole))
    yield chance.randbytes(HEADER_BYTES) + whole[HEADER_BYTES:]
    for seen in (0, 1 << 62, (1 << 64) - 1, chance.getrandbits(63) | 1 << 50):
        yield whole[:12] + struct.pack("<Q", seen) + whole[HEADER_BYTES:]
    for number in (float("nan"), float("inf"), float("-inf")):
        place = chance.randrange(HEADER_BYTES, len(whole), 4)
        yield whole[:place] + struct.pack("<f", number) + whole[place + 4 :]


def lay(backup: Path, ruins: Mapping[str, bytes]) -> None:
    for name, content in ruins.items():
        (backup / name).write_bytes(content)


@pytest.fixture
def trained(new_session: Callable[..., Session]) -> Session:
    """A session whose run has checkpoints of iteration 100, here and on Drive, and is to go on to 200."""
    session = new_session(max_batches=200)
    session.halt_darknet_at(110)
    session.supervise_in_background()
    # Both, so that no whole snapshot is left in the spool, which a later push would rightly bring to Drive.
    both = {"remote.backup", "remote_100.weights"}
    session.wait_until(lambda: both <= session.iterations_on_drive().keys(), "the checkpoints of 100")
    session.kill_everything()
    # Until its lease is stale a push by hand is refused.
    session.pass_time(600)
    return session


def name_ruins(whole: bytes) -> dict[str, bytes]:
    """Names that make each ruin the furthest checkpoint, if it were one."""
    names = [f"remote_{number}.weights" for number in range(150, 199)]
    ruins = list(ruins_of(whole))
    named = dict(zip(names, ruins, strict=False))
    return named | {"remote_last.weights": ruins[9], "remote_best.weights": ruins[3]}


def test_what_is_there_before_the_start(trained: Session) -> None:
    whole = (trained.tree / "backup/remote_100.weights").read_bytes()
    before = trained.weights_on_drive()
    ruins = name_ruins(whole)
    assert len(ruins) > 25
    lay(trained.tree / "backup", ruins)
    # The whole ones that are nearest are gone too, as after a kill in mid-save.
    lay(trained.tree / "backup", {"remote.backup": whole[:1000], "remote_final.weights": whole[:-1]})
    (trained.tree / ".trainer/darknet.log").unlink()

    said = trained.run("drivesync", "push", str(trained.tree), status=65)
    assert f"{len(ruins) + 2} not sent" in said
    assert trained.weights_on_drive() == before

    trained.supervise()
    # The whole one of that name was on Drive.
    assert trained.loaded == ["backup/remote.backup"]
    assert trained.attempts == [list(range(101, 201))]
    assert trained.iterations_on_drive() == {
        "remote.backup": 200,
        "remote_100.weights": 100,
        "remote_200.weights": 200,
        "remote_final.weights": 200,
    }


def test_what_appears_while_training_goes_on(trained: Session) -> None:
    whole = (trained.tree / "backup/remote_100.weights").read_bytes()
    (trained.tree / ".trainer/darknet.log").unlink()
    trained.set_max_batches(400)
    trained.halt_darknet_at(130)
    trained.supervise_in_background()
    trained.wait_for_iteration(101)
    ruins = name_ruins(whole)
    lay(trained.tree / "backup", ruins)
    # darknet dies while the ruins lie there: it must not go on from one of them.
    trained.kill([trained.wait_for_halt()])
    trained.finish()
    first, second = trained.attempts
    newest = first[-1] // 100 * 100
    assert second == list(range(newest + 1, 401))
    assert trained.loaded[1] in {f"backup/remote_{newest}.weights", "backup/remote.backup"}
    on_drive = trained.iterations_on_drive()
    assert not set(ruins) & set(on_drive)
    assert None not in on_drive.values()
    log = trained.log("supervisor.log")
    assert all(f"not pushed: backup/{name}: " in log for name in ruins)


def test_what_the_last_session_left_torn_on_drive_is_not_resumed_from(trained: Session) -> None:
    """Other tools, a mounted Drive for one, push what darknet was killed over."""
    whole = (trained.tree / "backup/remote_100.weights").read_bytes()
    further = whole[:12] + struct.pack("<Q", 190 * trained.seed.batch) + whole[HEADER_BYTES:5000]
    for name, content in (("remote_last.weights", whole[:5000]), ("remote_190.weights", further)):
        trained.drive.put(f"darknet/backup/{name}", content)
    trained.lose()
    trained.supervise()
    assert trained.loaded[0] in {"backup/remote_100.weights", "backup/remote.backup"}
    assert trained.attempts == [list(range(101, 201))]
    assert trained.iterations_on_drive()["remote_final.weights"] == 200

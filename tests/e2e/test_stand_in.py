"""A darknet that hangs, floods, will not go or leaves others behind, under a real supervisor and through real pipes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import wait_for
from trainer.config import Wishes, resolve_run
from trainer.darknet.program import Flavour
from trainer.deciding.endings import Ending
from trainer.errors import StoppedError
from trainer.running.pipes import LOG_LIMIT_BYTES
from trainer.settings import DEFAULT_SETTINGS
from trainer.testing import make_tree
from trainer.testing.stand_in import install
from trainer.testing.supervised import supervise
from trainer.testing.transcript import expand, read_transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.config import Run
    from trainer.settings import TrainerSettings
    from trainer.testing.supervised import Supervised

ITERATIONS = 200
"""Of the transcripts."""

# A silence that a machine under load does not make by itself, and no longer than it has to be.
HASTY = replace(DEFAULT_SETTINGS, stall_floor_s=2.5, stall_factor=1.0)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A tree; what its stand-ins leave behind ends with the test."""
    root = make_tree(tmp_path, images=2, negatives=0, max_batches=ITERATIONS).root
    yield root
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(child_of(root), signal.SIGKILL)


def child_of(tree: Path) -> int:
    return int((tree / "darknet.child").read_text())


def is_alive(pid: int) -> bool:
    """A zombie is not alive: where no init reaps, an orphan stays one."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def stand_in(tree: Path, once: str, *, each: str = "include ax/each.txt") -> Run:
    """AlexeyAB's darknet, which on its first run trains to iteration 20 and then does ``once``; the second is whole."""
    transcript = (
        f"include ax/start.txt\n{each}\nwhen attempt 1\ntrain 20\n{once}\nalways\ninclude ax/train.txt\n"
    )
    install(tree, Flavour.AX, expand(transcript, read_transcript))
    return resolve_run(Wishes(tree))


def endings(came: Supervised) -> list[str]:
    return [record.ending for record in came.records]


MAP_PASS = "out  calculation mAP (mean average precision)...\nraw err \\r4"
MAP_RESULT = "out  mean average precision (mAP@0.50) = 0.177571, or 17.76 %"


@pytest.mark.parametrize(
    ("once", "settings"),
    [
        pytest.param("hang", HASTY, id="silent"),
        pytest.param(f"{MAP_PASS}\nhang", replace(HASTY, stall_map_s=3.0), id="in a mAP pass, for too long"),
    ],
)
def test_a_darknet_that_hangs_is_ended_and_started_again(
    tree: Path, once: str, settings: TrainerSettings
) -> None:
    came = supervise(stand_in(tree, f"fork\n{once}"), settings=settings)
    assert endings(came) == [Ending.STALLED.name, Ending.FINISHED.name]
    first, _ = came.records
    assert first.end.exit_status == -signal.SIGTERM
    assert first.end.stalled_s is not None
    assert first.end.stalled_s > HASTY.stall_floor_s
    assert "silent for" in first.reason
    assert "at iteration 20" in first.reason
    assert not is_alive(child_of(tree))


def test_a_mean_average_precision_may_take_longer_than_an_iteration(tree: Path) -> None:
    """Only a counter without a newline comes, and that seldom."""
    once = f"{MAP_PASS}\nwait 3\nraw err \\r8\n{MAP_RESULT}"
    came = supervise(stand_in(tree, once), settings=HASTY)
    assert endings(came) == [Ending.FINISHED.name]


def test_a_flood_is_drained_and_kept_in_bounds(tree: Path) -> None:
    came = supervise(stand_in(tree, "flood 0 200000"))
    assert endings(came) == [Ending.FINISHED.name]
    (only,) = came.records
    assert (only.end.first_iteration, only.end.last_iteration) == (1, ITERATIONS)
    logs = list((tree / ".trainer").glob("darknet.log*"))
    assert sum(log.stat().st_size for log in logs) <= 2 * LOG_LIMIT_BYTES


def test_a_darknet_that_ignores_sigterm_is_killed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.attempt._STOP_GRACE_S", 0.3)
    came = supervise(stand_in(tree, "ignore SIGTERM\nhang"), settings=HASTY)
    assert endings(came) == [Ending.STALLED.name, Ending.FINISHED.name]
    assert came.records[0].end.exit_status == -signal.SIGKILL


def test_a_user_who_is_ignored_likewise(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.attempt._STOP_GRACE_S", 0.3)
    stop = threading.Event()
    run = stand_in(tree, "ignore SIGTERM\nfork\nhang")

    def set_stop() -> None:
        wait_for((tree / "darknet.child").exists, "the child")
        stop.set()

    user = threading.Thread(target=set_stop)
    user.start()
    came = supervise(run, stop=stop)
    user.join()
    assert isinstance(came.error, StoppedError)
    assert endings(came) == [Ending.STOPPED.name]
    assert came.records[0].end.exit_status == -signal.SIGKILL
    assert not is_alive(child_of(tree))


@pytest.mark.parametrize(
    "where", [pytest.param("", id="in its group"), pytest.param("away", id="in a session of its own")]
)
def test_who_is_left_behind_with_the_pipes_is_ended(tree: Path, where: str) -> None:
    came = supervise(stand_in(tree, f"fork {where}\nexit 3"))
    assert endings(came) == [Ending.UNKNOWN.name, Ending.FINISHED.name]
    first, second = came.records
    assert "ended with status 3 at iteration 20" in first.reason
    # It would have gone by itself only minutes later, and held up the next start until then.
    assert second.end.started_s - first.end.started_s < 20.0
    assert not is_alive(child_of(tree))

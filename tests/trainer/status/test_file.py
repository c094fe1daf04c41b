"""How a run stands: written seldom, read by others, true also when the supervisor is gone."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.errors import DamagedError
from trainer.background import RunLock
from trainer.status import (
    GpuNote,
    RestartNote,
    Status,
    StatusWriter,
    peek_status,
    read_status,
    status_path,
    to_json,
)

if TYPE_CHECKING:
    from pathlib import Path

NOTE = RestartNote(at_s=50.0, iteration=120, reason="darknet was ended by signal 9", resumed_from=100)


GPU = GpuNote("Tesla T4", 5, 16, 97.0)


class Clock:
    """Stands still but for being moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def written(tree: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(status_path(tree).read_text())
    return said


def test_what_was_written_is_read(tmp_path: Path) -> None:
    status = Status(
        "finished", 1, 2.0, iteration=7, restarts=(NOTE,), exit_code=0, gpus=(GPU,), life=("a", "b")
    )
    writer = StatusWriter(tmp_path, status, Clock())
    writer.flush()
    assert read_status(tmp_path) == writer.value
    assert writer.value.updated_s == 1000.0


def test_at_most_one_write_a_second_but_for_changes_of_state(tmp_path: Path) -> None:
    clock = Clock()
    writer = StatusWriter(tmp_path, Status("training", 1, 2.0), clock)
    writer.flush()
    clock.now_s += 0.9
    writer.update(iteration=5)
    assert written(tmp_path)["iteration"] is None
    writer.update(state="restarting")
    assert (written(tmp_path)["state"], written(tmp_path)["iteration"]) == ("restarting", 5)
    clock.now_s += 1.0
    writer.update(iteration=6)
    assert written(tmp_path)["iteration"] == 6


def test_a_clock_that_is_set_back_silences_nobody(tmp_path: Path) -> None:
    clock = Clock()
    writer = StatusWriter(tmp_path, Status("training", 1, 2.0), clock)
    writer.flush()
    clock.now_s -= 500
    writer.update(iteration=6)
    assert written(tmp_path)["iteration"] == 6


def test_on_a_full_disk_the_end_is_told_all_the_same(small_disk: Path) -> None:
    writer = StatusWriter(small_disk, Status("training", 1, 2.0, message="a longer one" * 20), Clock())
    writer.flush()
    with suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    writer.update(state="restarting")
    assert written(small_disk)["state"] == "training"
    writer.update(state="failed", message="the disk is full", exit_code=73)
    assert read_status(small_disk) == writer.value


def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".trainer").touch()
    writer = StatusWriter(tmp_path, Status("training", 1, 2.0), Clock())
    writer.update(state="pushing")
    writer.flush()
    assert writer.value.state == "pushing"
    assert read_status(tmp_path) is None


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_is_null(tmp_path: Path, loss: float) -> None:
    StatusWriter(tmp_path, Status("stopped", 1, 2.0, avg_loss=loss), Clock()).flush()
    assert written(tmp_path)["avg_loss"] is None
    assert "NaN" not in json.dumps(to_json(Status("stopped", 1, 2.0, avg_loss=loss)))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"state": "tr', id="torn"),
        pytest.param(b"[1, 2]", id="another thing"),
        pytest.param(b'{"restarts": [], "future": 1}', id="of another version"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(
            b'{"state": "stopped", "pid": 1, "started_s": 1, "restarts": [{}]}', id="no restart note"
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_another_thing_than_none(tmp_path: Path, content: bytes) -> None:
    status_path(tmp_path).parent.mkdir()
    status_path(tmp_path).write_bytes(content)
    with pytest.raises(DamagedError, match=r"status.json cannot be read"):
        read_status(tmp_path)
    assert peek_status(tmp_path) is None


def test_a_supervisor_that_is_gone_without_a_word_is_dead(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path, Status("training", 1, 2.0, iteration=7), Clock())
    with RunLock(tmp_path):
        writer.flush()
        alive = read_status(tmp_path)
        assert alive is not None
        assert alive.state == "training"
    dead = read_status(tmp_path)
    assert dead is not None
    assert (dead.state, dead.iteration) == ("dead", 7)
    assert "`trainer supervise` goes on" in dead.message


@pytest.mark.parametrize("state", ["finished", "stopped", "gave up", "failed"])
def test_one_that_has_ended_is_not_dead(tmp_path: Path, state: str) -> None:
    StatusWriter(tmp_path, Status(state, 1, 2.0), Clock()).flush()
    status = read_status(tmp_path)
    assert status is not None
    assert status.state == state

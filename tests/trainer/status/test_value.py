"""A status as JSON, written here or by another version, and spans of time as people say them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trainer.status import GpuNote, RestartNote, Status, describe_age, to_json
from trainer.status.value import from_json

STATUS = Status(
    "training",
    1,
    2.0,
    avg_loss=0.5,
    restarts=(RestartNote(50.0, 120, "it ended by signal 9", 100),),
    waiting=("a", "b"),
    gpus=(GpuNote("Tesla T4", 1, 2, 3.5), GpuNote("L4")),
    life=("once",),
)


def written(**changes: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(json.dumps(to_json(STATUS)))
    return said | changes


def test_there_and_back() -> None:
    assert from_json(written()) == STATUS


def test_an_older_version_knows_of_less() -> None:
    said = {key: written()[key] for key in ("state", "pid", "started_s", "restarts", "waiting")}
    status = from_json(said)
    assert (status.restarts, status.waiting) == (STATUS.restarts, STATUS.waiting)
    assert (status.gpus, status.life, status.per_minute, status.pushing) == ((), (), None, True)


def test_a_newer_version_knows_of_more() -> None:
    said = written(colour="green")
    said["gpus"][0]["celsius"] = 71
    said["restarts"][0]["why"] = "?"
    assert from_json(said) == STATUS


@pytest.mark.parametrize(
    "said",
    [
        *[None, [], {}, "x", written(restarts=None), written(restarts=[{"at_s": 1}]), written(gpus=[1, 2])],
        *[written(max_batches="x"), written(life=[1, None]), written(life="once"), written(pid=True)],
        *[written(iteration=1.5), written(avg_loss=float("inf")), written(updated_s=10**400)],
    ],
)
def test_what_is_no_status(said: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_json(said)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_null(number: float) -> None:
    status = Status(
        "training", 1, 2.0, avg_loss=number, per_minute=number, gpus=(GpuNote("L4", 1, 2, number),)
    )
    said = to_json(status)
    assert (said["avg_loss"], said["per_minute"], said["gpus"][0]["busy_percent"]) == (None, None, None)
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (40000, "11.1 h"),
        (72 * 3600, "3.0 days"),
        (1655 * 86400, "1,655.0 days"),
    ],
)
def test_ages(seconds: float, said: str) -> None:
    assert describe_age(seconds) == said

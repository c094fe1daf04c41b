"""Of numbered checkpoints the newest stay; nothing else ever goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivesync.files import Receipt, RemoteFile, Role
from drivesync.pushing.retention import find_surplus, is_outnumbered, list_numbered, may_go


def pushed(
    iteration: int | None, role: Role = Role.NUMBERED, run: str = "a", revision_id: str = "r1", name: str = ""
) -> Receipt:
    path = name or f"backup/{run}_{role.value if role is not Role.NUMBERED else iteration}.weights"
    file_id, progress = f"id of {path}", None if iteration is None else 4 * iteration
    return Receipt(
        path, 10, "md5", "sha256", file_id, revision_id, 1.5, iteration, run, role.value, progress=progress
    )


def counted_by_8(iteration: int) -> Receipt:
    """As ``pushed``, of an iteration that is twice as long."""
    return replace(pushed(iteration), progress=8 * iteration)


def noted_earlier(iteration: int) -> Receipt:
    """As ``pushed``, by the version before, which did not note the progress."""
    return replace(pushed(iteration), progress=None)


NUMBERED = [pushed(iteration) for iteration in (1000, 2000, 3000)]


@pytest.mark.parametrize(
    ("receipts", "keep", "surplus"),
    [
        pytest.param([], 1, [], id="nothing was pushed"),
        pytest.param(NUMBERED, 3, [], id="as many as are kept"),
        pytest.param(NUMBERED, 4, [], id="fewer"),
        pytest.param(NUMBERED, 2, [1000], id="one too many"),
        pytest.param(NUMBERED, 1, [1000, 2000], id="the oldest goes first"),
        pytest.param(NUMBERED, 0, [1000, 2000, 3000], id="none is kept"),
        pytest.param(NUMBERED[::-1], 1, [1000, 2000], id="pushed in another order"),
        pytest.param([pushed(1000), pushed(900)], 1, [900], id="by iteration and not by time"),
        pytest.param(
            [pushed(1000), pushed(1000), pushed(2000)], 2, [], id="one that was pushed twice is one"
        ),
        pytest.param(
            [pushed(1), pushed(2), pushed(10), pushed(9, run="b")], 2, [1], id="each run for itself"
        ),
        pytest.param(
            [pushed(5, Role.LAST), pushed(4, Role.BEST), pushed(6, Role.FINAL), pushed(3, Role.OTHER)],
            0,
            [],
            id="last, best, final and others always stay",
        ),
        pytest.param(
            [*NUMBERED, replace(pushed(2000), deleted=True)], 1, [1000], id="what was deleted is none of them"
        ),
        pytest.param(
            [replace(pushed(1000), deleted=True), *NUMBERED], 2, [1000], id="deleted, and pushed again"
        ),
        pytest.param(
            [*NUMBERED, counted_by_8(1600), counted_by_8(1700)], 2, [1000, 2000, 3000], id="longer iterations"
        ),
        pytest.param(
            [*map(noted_earlier, (4000, 500)), *NUMBERED], 2, [1000], id="those of an earlier version stay"
        ),
        pytest.param([pushed(None, name="backup/a_x.weights")], 0, [], id="nobody knows how old it is"),
        pytest.param(
            [pushed(7, name="backup/a_7.weights"), pushed(7, Role.FINAL, name="backup/a_7.weights")],
            0,
            [],
            id="what it was last counts",
        ),
    ],
)
def test_what_is_too_many(receipts: list[Receipt], keep: int, surplus: list[int]) -> None:
    assert [receipt.iteration for receipt in find_surplus(receipts, keep)] == surplus


def test_the_newest_receipt_of_a_path_counts() -> None:
    again = replace(NUMBERED[0], revision_id="r2")
    assert find_surplus([*NUMBERED, again], 2) == (again,)
    assert [receipt.iteration for receipt in list_numbered([*NUMBERED, again])] == [3000, 2000, 1000]


@pytest.mark.parametrize(
    ("iteration", "keep", "outnumbered"),
    [
        pytest.param(4000, 1, False, id="the newest"),
        pytest.param(2500, 1, True, id="one is newer, and one is kept"),
        pytest.param(2500, 2, False, id="one is newer, and two are kept"),
        pytest.param(500, 3, True, id="the oldest of four"),
        pytest.param(4000, 0, True, id="none is kept"),
    ],
)
def test_what_would_go_at_once_is_not_pushed(iteration: int, keep: int, *, outnumbered: bool) -> None:
    path = f"backup/a_{iteration}.weights"
    receipts = [*NUMBERED, pushed(9000, run="b"), noted_earlier(9000)]
    assert is_outnumbered(path, "a", 4 * iteration, receipts, keep) is outnumbered


def test_its_own_receipt_does_not_outnumber_it() -> None:
    assert not is_outnumbered(NUMBERED[0].path, "a", 2000, [NUMBERED[0]], 1)


THERE = RemoteFile("backup/a_1000.weights", "id of backup/a_1000.weights", 10, "md5", 1.0, revision_id="r1")


@pytest.mark.parametrize(
    ("there", "goes"),
    [
        pytest.param(THERE, True, id="as it was pushed"),
        pytest.param(replace(THERE, revision_id="r2"), False, id="another revision"),
        pytest.param(replace(THERE, id="other"), False, id="another file"),
        pytest.param(replace(THERE, md5="other"), False, id="another content"),
        pytest.param(replace(THERE, size=11), False, id="another size"),
        pytest.param(replace(THERE, path="backup/b.weights"), False, id="another place"),
    ],
)
def test_only_what_was_pushed_goes(there: RemoteFile, *, goes: bool) -> None:
    assert may_go(NUMBERED[0], there) is goes

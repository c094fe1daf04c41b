"""A run is admitted once, by a judge that knows of runs; what is of none, and what others judge, always is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.acceptance import Judges
from drivesync.config import Settings
from drivesync.errors import LeaseError
from drivesync.files import Verdict
from drivesync.pushing.admission import Admission
from drivesync.remotes import open_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.remotes.base import Remote


class Judge:
    """Admits a run whose file on the remote says ``yes``, or that has none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, _tree: Path, _path: str, _snapshot: Path) -> Verdict:
        return Verdict(accepted=True)

    def refuse_run(self, _tree: Path, run: str, read: Callable[[str], bytes | None]) -> str:
        self.asked.append(run)
        said = read(f"{run}.txt")
        return "" if said in {None, b"yes"} else "it has ended"


def accept(_tree: Path, _path: str, _snapshot: Path) -> Verdict:
    return Verdict(accepted=True)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    (tmp_path / "remote/backup").mkdir(parents=True)
    with open_remote(str(tmp_path / "remote"), Settings(), print) as remote:
        yield remote


@pytest.mark.parametrize("said", ["yes", None])
def test_a_run_is_asked_for_once(tmp_path: Path, remote: Remote, said: str | None) -> None:
    if said is not None:
        (tmp_path / "remote/backup/run.txt").write_text(said)
    judge = Judge()
    admission = Admission(tmp_path, remote, Judges([accept, judge]))
    for _ in range(2):
        admission.check("backup/run")
        admission.check("")
    assert judge.asked == ["backup/run"]


def test_one_that_has_ended_is_refused_each_time(tmp_path: Path, remote: Remote) -> None:
    (tmp_path / "remote/backup/run.txt").write_text("no")
    admission = Admission(tmp_path, remote, Judge())
    for _ in range(2):
        with pytest.raises(LeaseError, match=r"^nothing of backup/run is pushed: it has ended$"):
            admission.check("backup/run")
    admission.check("other/run")


def test_a_judge_that_knows_only_files_admits_all(tmp_path: Path, remote: Remote) -> None:
    (tmp_path / "remote/backup/run.txt").write_text("no")
    Admission(tmp_path, remote, Judges([accept])).check("backup/run")
    Admission(tmp_path, remote, accept).check("backup/run")

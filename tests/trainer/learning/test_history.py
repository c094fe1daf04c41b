"""What is kept of each attempt comes back as it was, whatever else has got into the file."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.errors import DiskFullError, LocalWriteError
from trainer.darknet.output import Cause, Complaint
from trainer.deciding.endings import AttemptEnd, Changes
from trainer.learning import history
from trainer.learning.facts import CfgFacts
from trainer.learning.history import ATTEMPTS_FILE, AttemptRecord, append_attempt, read_attempts, to_end

FACTS = CfgFacts(64, 16, 64, 0.0013, 6000, 416, 416, 3, 23_600_000, "0123abcd")
END = AttemptEnd(1790000000.5, 1790000100.0, 900, 900, 1000, 901, 1034, -6)
TOLD = replace(
    END,
    complaint=Complaint(Cause.GPU_MEMORY, "CUDA Error: out of memory", "x"),
    stopped=True,
    lost=True,
    stalled_s=301.5,
    diverged_at=1001,
    refused="darknet began at iteration 1",
    out_of_memory="the kernel killed it",
    disk_full=True,
    changes=Changes(32, 0.25),
)
RECORD = AttemptRecord("backup/remote", 1790000000.0, "vm", FACTS, END, "UNKNOWN", "it crashed", "restart")
FULL = replace(RECORD, end=TOLD, checkpoint="backup/remote_last.weights", safe_iteration=900)


def lay(tree: Path, content: bytes) -> None:
    (tree / ".trainer").mkdir(exist_ok=True)
    (tree / ATTEMPTS_FILE).write_bytes(content)


def lines(tree: Path) -> list[bytes]:
    return (tree / ATTEMPTS_FILE).read_bytes().splitlines(keepends=True)


def test_what_is_written_is_read_in_that_order(tmp_path: Path) -> None:
    assert read_attempts(tmp_path) == []
    for record in (FULL, RECORD, FULL):
        append_attempt(tmp_path, record)
    assert read_attempts(tmp_path) == [FULL, RECORD, FULL]
    assert len(lines(tmp_path)) == 3


def test_each_field_of_an_end_is_kept() -> None:
    # Else a field that is added there would be lost here without a word.
    defaults = AttemptEnd(0.0, 0.0, 0, 0, 0, None, None, 0)
    left = {
        field.name for field in fields(TOLD) if getattr(TOLD, field.name) == getattr(defaults, field.name)
    }
    assert left == {"earlier_session"}


def test_an_end_of_another_session_says_so() -> None:
    assert to_end(FULL) == replace(TOLD, earlier_session=True)


def test_a_torn_last_line_is_left_alone_and_hides_nothing(tmp_path: Path) -> None:
    append_attempt(tmp_path, RECORD)
    torn = lines(tmp_path)[0][:100]
    lay(tmp_path, lines(tmp_path)[0] + torn)
    append_attempt(tmp_path, FULL)
    assert read_attempts(tmp_path) == [RECORD, FULL]
    assert lines(tmp_path)[1] == torn + b"\n"


def _line(record: AttemptRecord) -> str:
    with TemporaryDirectory() as folder:
        append_attempt(Path(folder), record)
        return lines(Path(folder))[0].decode().strip()


OWN_LINE = _line(RECORD).encode()


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(OWN_LINE) | changes).encode()


def changed_end(**changes: object) -> bytes:
    said = json.loads(OWN_LINE)
    return json.dumps(said | {"end": said["end"] | changes}).encode()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="an empty line"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b"[1, 2]", id="no object"),
        pytest.param(b"\x00\xff\x80", id="no text"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b'{"session": ' + b"9" * 5000 + b"}", id="too many digits"),
        pytest.param(changed(run=5), id="a number for a text"),
        pytest.param(changed(session="5"), id="a text for a number"),
        pytest.param(changed(session=True), id="an answer for a number"),
        pytest.param(changed(facts=None), id="no facts"),
        pytest.param(changed_end(last_iteration=1.5), id="half an iteration"),
        pytest.param(changed_end(last_iteration=1 << 60), id="an iteration beyond all"),
        pytest.param(changed_end(stopped=1), id="a number for an answer"),
        pytest.param(changed_end(started_s=float("nan")), id="a time that is none"),
        pytest.param(changed_end(complaint={"cause": "OTHER", "line": "x"}), id="a cause that nobody knows"),
        pytest.param(changed_end(complaint={"cause": ["CUDA"], "line": "x"}), id="a list for a cause"),
    ],
)
def test_what_is_none_of_ours_is_passed_over(tmp_path: Path, line: bytes) -> None:
    append_attempt(tmp_path, RECORD)
    own = lines(tmp_path)[0]
    lay(tmp_path, own + line + b"\n" + own)
    assert read_attempts(tmp_path) == [RECORD, RECORD]


def test_what_a_later_version_adds_is_passed_over_and_what_an_earlier_one_lacked_has_its_default(
    tmp_path: Path,
) -> None:
    said = json.loads(changed_end(weather="fine")) | {"mood": 3}
    del said["end"]["disk_full"], said["safe_iteration"]
    lay(tmp_path, json.dumps(said).encode())
    assert read_attempts(tmp_path) == [RECORD]


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(OWN_LINE)), max_size=6))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: list[bytes]) -> None:
    tree = tmp_path_factory.mktemp("tree")
    lay(tree, b"\n".join(content))
    whole = content.count(OWN_LINE)
    assert read_attempts(tree) == [RECORD] * whole


def test_of_a_huge_file_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        append_attempt(tmp_path, replace(RECORD, session=float(number)))
    line_bytes = len(lines(tmp_path)[-1])
    monkeypatch.setattr(history, "_READ_BYTES", 5 * line_bytes + line_bytes // 2)
    assert [record.session for record in read_attempts(tmp_path)] == [15.0, 16.0, 17.0, 18.0, 19.0]


def test_a_very_long_line_of_darknets_is_cut(tmp_path: Path) -> None:
    append_attempt(tmp_path, replace(RECORD, reason="x" * 1_000_000))
    assert read_attempts(tmp_path)[0].reason == "x" * 4000


def test_a_disk_without_room_keeps_what_is_there(small_disk: Path) -> None:
    append_attempt(small_disk, RECORD)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))

    def fill() -> None:
        for _ in range(20):  # what is left of the last block takes some
            append_attempt(small_disk, RECORD)

    with pytest.raises(DiskFullError):
        fill()
    kept = read_attempts(small_disk)
    assert (small_disk / ATTEMPTS_FILE).read_bytes().endswith(b"\n")
    filler.unlink()
    append_attempt(small_disk, FULL)
    assert read_attempts(small_disk) == [*kept, FULL]


def test_a_place_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".trainer").touch()
    with pytest.raises(LocalWriteError):
        append_attempt(tmp_path, RECORD)
    assert read_attempts(tmp_path) == []

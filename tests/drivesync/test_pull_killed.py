"""A pull that is killed at any moment is gone on with: nothing that it noted as there is fetched again."""

from __future__ import annotations

import math
import random
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.pulling.assembly import NOTE_EVERY_BYTES
from drivesync.testing import CorruptDownload, Costs, Fault, file_calls
from drivesync.tree import TreeState, read_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.testing import DriveEmulator
    from drivesync.testing.service import Request
    from drivesync.testing.wire import Answer

RANDOM = random.Random(20)
KILLS = 20
LARGE_BYTES = 25_000_000
SMALL_BYTES = 20_000
SMALL_FILES = 40
LIFE_S = 0.02
"""At most, after the bytes that a process may take."""
DAMAGED_BYTES = 20_000_000
DAMAGED_RANGES = 3
RANGES_AT_ONCE = 8
BLOCK_BYTES = 256 << 10
"""No block that a connection hands on is larger."""
NOTED_BYTES = NOTE_EVERY_BYTES // 4
"""See pulls.py."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


@pytest.fixture
def pull(environment: dict[str, str], tree: Path) -> Iterator[Callable[..., tuple[int, int]]]:
    """``pull(1000, 0.5)`` pulls in a process that is killed so many seconds after it took so many bytes.

    It gives the exit status, and how many bytes were taken.
    """
    program = Path(__file__).with_name("pulls.py")
    with subprocess.Popen(
        [sys.executable, program, "darknet", tree],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pulling:
        to, back = pulling.stdin, pulling.stdout
        assert to is not None
        assert back is not None

        def run(after_bytes: float = math.inf, life_s: float = 0.0) -> tuple[int, int]:
            to.write(f"{after_bytes} {life_s}\n")
            to.flush()
            status, taken_bytes = map(int, back.readline().split())
            return status, taken_bytes

        yield run
        to.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """First and last byte of each range of the large file that Drive was asked for."""
    spans: list[tuple[int, int]] = []
    answer_media = file_calls.answer_media

    def answer(request: Request, data: Any, mime_type: str) -> Answer:
        if len(data) == LARGE_BYTES:
            first, last = request.headers["range"].removeprefix("bytes=").split("-")
            spans.append((int(first), int(last)))
        return answer_media(request, data, mime_type)

    monkeypatch.setattr(file_calls, "answer_media", answer)
    return spans


def noted(tree: Path) -> list[tuple[int, int]]:
    """What the journal says of the large file."""
    for journal in (tree / ".drivesync" / "partial").glob("*.done"):
        if journal.with_suffix(".part").exists():
            return list(struct.iter_unpack("<QQ", journal.read_bytes()))
    return []


def assert_whole(tree: Path, files: dict[str, bytes]) -> None:
    assert {path: (tree / path).read_bytes() for path in files} == files
    assert list((tree / ".drivesync" / "partial").iterdir()) == []
    assert read_tree_state(tree) == TreeState("darknet", complete=True)


def size_of(spans: list[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in spans)


def test_killed_at_random_moments_it_goes_on_where_it_was(
    drive_emulator: DriveEmulator,
    pull: Callable[..., tuple[int, int]],
    tree: Path,
    asked: list[tuple[int, int]],
) -> None:
    files = {"large.bin": RANDOM.randbytes(LARGE_BYTES)}
    files |= {f"data/{number}": RANDOM.randbytes(SMALL_BYTES) for number in range(SMALL_FILES)}
    for path, content in files.items():
        drive_emulator.put(f"darknet/{path}", content)
    drive_emulator.set_costs(Costs(latency_s=0.005, bandwidth_bytes_per_s=60e6))
    kills = begun = 0
    while kills < KILLS or begun < KILLS / 4:
        assert kills < 10 * KILLS, "some of them are to have begun to fetch"
        before = noted(tree)
        asked.clear()
        # A moment is one of its work, some of them before the first byte: no machine is too busy to reach it.
        after_bytes = RANDOM.randrange(-LARGE_BYTES // 4, LARGE_BYTES)
        status, taken_bytes = pull(after_bytes, RANDOM.uniform(0, LIFE_S))
        twice = [
            span for span in asked if any(span[0] <= last and first <= span[1] for first, last in before)
        ]
        assert twice == [], "what was noted as there is not asked for"
        kills += status == -signal.SIGKILL
        begun += bool(asked)
        whole = (tree / "large.bin").exists()
        newly = (LARGE_BYTES if whole else size_of(noted(tree))) - size_of(before)
        lost = taken_bytes - newly - SMALL_FILES * SMALL_BYTES
        assert lost <= RANGES_AT_ONCE * (NOTED_BYTES + BLOCK_BYTES), (status, taken_bytes, newly)
        if status == 0:
            assert_whole(tree, files)
            # All over again.
            shutil.rmtree(tree)
    assert pull()[0] == 0
    assert_whole(tree, files)


@pytest.mark.parametrize(
    "request_of_mending",
    [
        pytest.param(1, id="as it begins"),
        pytest.param(DAMAGED_RANGES, id="in its midst"),
    ],
)
def test_killed_while_what_came_damaged_is_fetched_again(
    drive_emulator: DriveEmulator,
    environment: dict[str, str],
    pull: Callable[..., tuple[int, int]],
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    request_of_mending: int,
) -> None:
    files = {"large.bin": RANDOM.randbytes(DAMAGED_BYTES)}
    drive_emulator.put("darknet/large.bin", files["large.bin"])
    drive_emulator.inject(Fault(CorruptDownload(), "files.get.media", times=1))
    requests: list[str] = []
    answer_media = file_calls.answer_media

    def kill_in_time(request: Request, data: Any, mime_type: str) -> Answer:
        requests.append(request.headers["range"])
        if len(requests) == DAMAGED_RANGES + request_of_mending:
            pulling.kill()
            pulling.wait()
        return answer_media(request, data, mime_type)

    monkeypatch.setattr(file_calls, "answer_media", kill_in_time)
    with subprocess.Popen(
        [sys.executable, "-m", "drivesync", "pull", "darknet", str(tree)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as pulling:
        assert pulling.wait(60) == -signal.SIGKILL
    # No longer all of it, as before mending.
    before = size_of(noted(tree))
    assert before < DAMAGED_BYTES
    counted = drive_emulator.counters()["files.get.media"]
    served_before = counted.bytes_down
    assert pull()[0] == 0
    assert_whole(tree, files)
    assert counted.bytes_down - served_before == DAMAGED_BYTES - before

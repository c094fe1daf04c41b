from __future__ import annotations

import json
import math
import os
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.errors import LocalWriteError
from tests.trainer.curves.conftest import FakeClock, line, open_writer, tell, write_run
from trainer.curves import writer as writing
from trainer.curves.curve import Seam, Usage
from trainer.curves.metrics import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_is_told_is_compact_json(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, 1)
        writer.event("saved", iteration=1)
        writer.event("note", text="über", value=math.inf)
    assert path.read_text() == (
        line(1)
        + '{"event":"saved","i":1,"t":1000}\n'
        + '{"event":"note","text":"\\u00fcber","value":null,"t":1000}\n'
    )


def test_lines_are_json_even_where_the_loss_is_no_number(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        for loss in (math.nan, math.inf, -math.inf):
            tell(writer, 1, loss=loss)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    assert [json.loads(text, parse_constant=refuse)["loss"] for text in path.read_text().splitlines()] == [
        None
    ] * 3


def test_it_is_written_once_a_second(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, 1)
        assert path.read_text() == line(1)
        clock.now_s += 0.9
        tell(writer, 2, 3)
        assert path.read_text() == line(1)
        clock.now_s += 0.1
        tell(writer, 4)
        assert len(path.read_text().splitlines()) == 4
        tell(writer, 5)
        writer.flush()
        assert len(path.read_text().splitlines()) == 5
        tell(writer, 6)
    assert len(path.read_text().splitlines()) == 6


def test_a_resume_takes_away_what_is_trained_again(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, *range(1, 6))
        writer.event("saved", iteration=3)
        writer.event("map", iteration=5)
        writer.event("pushed", iteration=3)
        writer.event("note")
    with open_writer(path, clock) as writer:
        writer.resume(4)
        assert "part" not in "".join(sibling.name for sibling in path.parent.iterdir())
        tell(writer, 4, 5, 6)
        writer.resume(6, kind="restarted")
        tell(writer, 6, 7)
    records = [json.loads(text) for text in path.read_text().splitlines()]
    assert [record["i"] for record in records if "event" not in record] == [1, 2, 3, 4, 5, 6, 7]
    read = read_metrics(path)
    assert [happening.name for happening in read.happenings] == ["saved", "pushed", "note"]
    assert [(seam.kind, seam.first_iteration) for seam in read.seams] == [("resumed", 4), ("restarted", 6)]


def test_a_step_further_back_takes_the_seams_in_between(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, *range(1, 10))
        for first_iteration in (3, 7, 7, 5):
            writer.resume(first_iteration)
    assert [seam.first_iteration for seam in read_metrics(path).seams] == [3, 5]


def test_the_start_of_a_run_is_no_seam(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        writer.resume(1)
        tell(writer, 1, 2)
        writer.resume(1)
        tell(writer, 1)
    read = read_metrics(path)
    assert [seam.first_iteration for seam in read.seams] == [1]
    assert read.iteration.tolist() == [1]


def test_a_run_whose_past_is_lost_begins_with_a_seam(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        writer.resume(301)
        tell(writer, 301)
    assert [seam.first_iteration for seam in read_metrics(path).seams] == [301]


@pytest.mark.parametrize("kept_bytes", [1, 30, len(line(3)) - 1])
def test_a_torn_last_line_is_repaired_when_a_writer_opens(
    path: Path, clock: FakeClock, kept_bytes: int
) -> None:
    write_run(path, clock, 1, 2, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * len(line(1)) + kept_bytes])
    write_run(path, clock, 4)
    assert path.read_text() == line(1) + line(2) + line(4)


def test_an_iteration_told_twice_stands_once(path: Path, clock: FakeClock) -> None:
    write_run(path, clock, 1, 2, 3, 4, 3, 4, 5)
    assert read_metrics(path).iteration.tolist() == [1, 2, 3, 4, 5]


@settings(max_examples=50)
@given(
    starts=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 12)), max_size=8), torn=st.integers(0, 90)
)
def test_each_iteration_stands_once_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, starts: list[tuple[int, int]], torn: int
) -> None:
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    clock = FakeClock()
    write_run(path, clock, *range(1, 31))
    for first_iteration, length in starts:
        path.write_bytes(path.read_bytes()[: -torn or None])
        with open_writer(path, clock) as writer:
            writer.resume(first_iteration)
            tell(writer, *range(first_iteration, first_iteration + length))
        read = read_metrics(path)
        assert (np.diff(read.iteration) > 0).all()
        assert (read.iteration < first_iteration + length).all()
        assert set(range(first_iteration, first_iteration + length)) <= set(read.iteration.tolist())
        assert [seam.first_iteration for seam in read.seams][-1:] == [first_iteration] or first_iteration == 1
        assert all(seam.first_iteration <= first_iteration for seam in read.seams)


def test_a_long_run_is_thinned_and_keeps_its_peaks(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "POINTS_LIMIT", 100)
    chance = random.Random(7)
    losses = [chance.uniform(1, 2) for _ in range(150)]
    losses[70], losses[71], losses[110] = 900.0, 0.001, math.nan
    with open_writer(path, clock) as writer:
        for index, loss in enumerate(losses):
            tell(writer, index + 1, loss=loss)
        writer.event("map", iteration=75, value=0.5)
    with open_writer(path, clock):
        read = read_metrics(path)
    assert 40 <= len(read.iteration) <= 100
    assert read.iteration[[0, -1]].tolist() == [1, 150]
    kept = dict(zip(read.iteration.tolist(), read.loss.tolist(), strict=True))
    assert kept[71] == 900.0
    assert kept[72] == 0.001
    assert math.isnan(kept[111])
    assert 75 in kept
    assert [found.iteration for found in read.maps] == [75]
    before = path.read_bytes()
    with open_writer(path, clock):
        assert path.read_bytes() == before


def test_a_run_that_never_ends_is_thinned_while_it_is_written(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "POINTS_LIMIT", 100)
    with open_writer(path, clock) as writer:
        for iteration in range(1, 2001):
            clock.now_s += 1
            tell(writer, iteration)
            assert len(path.read_bytes()) < 102 * len(line(1000))
    assert read_metrics(path).iteration[-1] == 2000


def test_a_full_disk_stops_nothing_and_loses_nothing_in_the_end(path: Path, clock: FakeClock) -> None:
    write_run(path, clock, 1, 2, 3)
    before = path.read_bytes()
    with open_writer(path, clock) as writer:
        real = writer._descriptor
        with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - Path.open would say the same
            writer._descriptor = full.fileno()
            writer.resume(3)
            tell(writer, 3, 4)
            writer.flush()
            assert path.read_bytes() == before
            writer._descriptor = real
    read = read_metrics(path)
    assert read.iteration.tolist() == [1, 2, 3, 4]
    assert [seam.first_iteration for seam in read.seams] == [3]


def test_a_disk_that_stays_full_does_not_fill_memory(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_BUFFER_LIMIT_BYTES", 1000)
    with open_writer(path, clock) as writer:
        real = writer._descriptor
        with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - Path.open would say the same
            writer._descriptor = full.fileno()
            for iteration in range(100):
                clock.now_s += 1
                tell(writer, iteration)
                assert len(writer._buffer) <= 1000
            writer._descriptor = real
        tell(writer, 100)
    assert read_metrics(path).iteration[-1] == 100


def test_an_old_file_is_left_as_it_is_where_there_is_no_room_for_a_new_one(
    path: Path, clock: FakeClock
) -> None:
    write_run(path, clock, 1, 3, 2)
    before = path.read_bytes()
    (path.parent / ".metrics.jsonl.part").mkdir()
    with open_writer(path, clock) as writer:
        writer.resume(3)
        tell(writer, 3)
    assert path.read_bytes().startswith(before)
    assert read_metrics(path).iteration.tolist() == [1, 2, 3]


def test_a_place_that_cannot_be_written(clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalWriteError, match="cannot write"), open_writer(tmp_path / "file" / "x", clock):
        pytest.fail("entered")


def test_what_is_in_use_is_noted_now_and_then(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        for iteration in range(1, 13):
            clock.now_s += 3
            tell(writer, iteration)
            writer.usage(used_bytes=iteration, total_bytes=16, busy_percent=97.5 if iteration > 1 else None)
        writer.resume(9)
        tell(writer, 9)
        writer.usage(used_bytes=9, total_bytes=16, busy_percent=0)
        clock.now_s += 10
        writer.usage(used_bytes=10, total_bytes=16, busy_percent=0)
    first, second, third = read_metrics(path).usages
    assert math.isnan(first.busy_percent)
    assert second == Usage(5, 5, 16, 97.5, 1015)
    assert third == Usage(9, 10, 16, 0, 1046)


def test_thinning_keeps_what_was_most_in_use_and_where_mAP_was_measured(  # noqa: N802 - so it is written
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "POINTS_LIMIT", 100)
    with open_writer(path, clock) as writer:
        for iteration in range(1, 1001):
            clock.now_s += 10
            tell(writer, iteration)
            writer.usage(used_bytes=iteration % 497, total_bytes=1000, busy_percent=50)
            if not iteration % 250:
                writer.event("map", iteration=iteration, value=0.5)
    with open_writer(path, clock):
        read = read_metrics(path)
    assert len(read.iteration) <= 100
    assert set(range(250, 1001, 250)) <= set(read.iteration.tolist())
    assert max(usage.used_bytes for usage in read.usages) == 496
    assert len(read.usages) <= 110


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("survivors", [pytest.param(0, id="none stay"), pytest.param(2, id="some stay")])
@pytest.mark.parametrize("writes", range(5))
def test_a_resume_that_is_killed_leaves_no_gap(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, writes: int, survivors: int
) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, *range(1, 301))
        for iteration in range(301, 341):
            tell(writer, iteration)
            if iteration in range(310, 310 + survivors):
                writer.event("pushed", iteration=200)
                writer.event("pushed", iteration=iteration)
    clock.now_s += 0.123
    left = writes

    def limited(real: Callable[..., int | None]) -> Callable[..., int | None]:
        def write(*arguments: object) -> int | None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*arguments)

        return write

    writer = open_writer(path, clock).__enter__()
    with monkeypatch.context() as dying:
        for name in ("write", "pwrite", "ftruncate"):
            dying.setattr(os, name, limited(getattr(os, name)))
        try:
            writer.resume(301)
        except Killed:
            assert writes < 3
    os.close(writer._descriptor)
    resumed = [Seam("resumed", 301, 1000.123)] if writes else []
    read = read_metrics(path)
    assert read.iteration.tolist() == list(range(1, 301 if writes else 341))
    assert list(read.seams) == resumed
    if writes:
        assert [happening.iteration for happening in read.happenings] == [200] * survivors
    clock.now_s += 1
    with open_writer(path, clock) as after:
        after.resume(301)
        tell(after, 301, 302)
    read = read_metrics(path)
    assert read.iteration.tolist() == list(range(1, 303))
    assert list(read.seams) == [*resumed, Seam("resumed", 301, 1001.123)]
    assert [happening.iteration for happening in read.happenings] == [200] * survivors
    iterations = [json.loads(text).get("i") for text in path.read_text().splitlines() if "loss" in text]
    assert iterations == list(range(1, 303)), "superseded lines are gone, and none is torn"


def test_a_resume_writes_only_what_it_must(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(path, clock, *range(1, 1001))
    before, inode = path.read_bytes(), path.stat().st_ino
    with open_writer(path, clock) as writer:
        monkeypatch.setattr(writing, "_write_durably", lambda *_: pytest.fail("all of it was written"))
        writer.resume(991)
        tell(writer, 991)
    assert path.stat().st_ino == inode
    after = path.read_bytes()
    assert after.startswith(before[: before.index(line(991).encode())])
    assert len(after) < len(before)

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.errors import LocalWriteError, NotFoundError
from trainer.curves import metrics
from trainer.curves.curve import Happening, Seam
from trainer.curves.metrics import MetricsWriter, read_metrics

if TYPE_CHECKING:
    from pathlib import Path


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup" / "metrics.jsonl"


def open_writer(path: Path, clock: FakeClock) -> MetricsWriter:
    return MetricsWriter(path, clock=clock, wall_clock=clock)


def tell(writer: MetricsWriter, *iterations: int, loss: float = 2.5) -> None:
    for iteration in iterations:
        writer.progress(iteration=iteration, loss=loss, avg_loss=3.0, rate=0.001, seconds=0.5)


def write_run(path: Path, clock: FakeClock, *iterations: int) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, *iterations)


def line(iteration: int, loss: str = "2.5") -> str:
    return f'{{"i":{iteration},"loss":{loss},"avg":3.0,"rate":0.001,"s":0.5,"t":1000}}\n'


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


def test_what_is_written_is_read(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        writer.progress(iteration=1, loss=2.0, avg_loss=3.0, rate=0.1, seconds=0.5)
        clock.now_s += 7
        writer.progress(iteration=2, loss=math.nan, avg_loss=-math.inf, rate=0.2, seconds=0.25)
        writer.event("map", iteration=2, map=0.17)
        writer.resume(3)
    read = read_metrics(path)
    np.testing.assert_array_equal(read.iteration, [1, 2])
    np.testing.assert_array_equal(read.loss, [2.0, math.nan])
    np.testing.assert_array_equal(read.avg_loss, [3.0, math.nan])
    np.testing.assert_array_equal(read.rate, [0.1, 0.2])
    np.testing.assert_array_equal(read.seconds, [0.5, 0.25])
    np.testing.assert_array_equal(read.unix_s, [1000, 1007])
    assert read.happenings == (Happening("map", 2, 1007, {"map": 0.17}),)
    assert read.seams == (Seam("resumed", 3, 1007),)


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


@pytest.mark.parametrize(
    "alien",
    [
        pytest.param("", id="blank"),
        pytest.param('{"i":7,"loss":2.', id="torn"),
        pytest.param("\0\0\0\0", id="zeros of a lost write"),
        pytest.param("7", id="a number"),
        pytest.param('["i"]', id="a list"),
        pytest.param('"event"', id="a string"),
        pytest.param("{}", id="nothing in it"),
        pytest.param('{"i":7}', id="no values"),
        pytest.param(line(7).replace("2.5", '"x"').strip(), id="a word for a loss"),
        pytest.param(line(7).replace("2.5", "1" + "0" * 400).strip(), id="a loss too long for a float"),
        pytest.param(line(7).replace('"i":7', '"i":-1').strip(), id="a negative iteration"),
        pytest.param(line(7).replace('"i":7', '"i":1e3').strip(), id="an iteration that is no integer"),
        pytest.param(line(2**60).strip(), id="a wild iteration"),
        pytest.param('{"event":"resumed","t":1}', id="a seam nowhere"),
        pytest.param("[" * 100_000, id="a very deep list"),
    ],
)
def test_alien_lines_are_passed_over(path: Path, clock: FakeClock, alien: str) -> None:
    path.parent.mkdir()
    path.write_text(line(1) + alien + "\n" + line(2))
    read = read_metrics(path)
    assert read.iteration.tolist() == [1, 2]
    assert not read.happenings
    assert not read.seams
    with open_writer(path, clock) as writer:
        writer.resume(2)
    assert path.read_text() == line(1) + '{"event":"resumed","from":2,"t":1000}\n'


def test_infinity_in_a_file_of_somebody_else_becomes_nan(path: Path, clock: FakeClock) -> None:
    path.parent.mkdir()
    path.write_text(line(1, "Infinity") + line(2, "NaN") + line(3, "1e999") + line(4))
    np.testing.assert_array_equal(read_metrics(path).loss, [math.nan, math.nan, math.nan, 2.5])
    with open_writer(path, clock) as writer:
        writer.resume(4)
        writer.progress(iteration=4, loss=math.inf, avg_loss=3.0, rate=0.001, seconds=0.5)
    assert path.read_text().endswith('{"event":"resumed","from":4,"t":1000}\n' + line(4, "null"))


def test_an_iteration_told_twice_stands_once(path: Path, clock: FakeClock) -> None:
    write_run(path, clock, 1, 2, 3, 4, 3, 4, 5)
    assert read_metrics(path).iteration.tolist() == [1, 2, 3, 4, 5]


@settings(max_examples=50, deadline=None)
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
    monkeypatch.setattr(metrics, "POINTS_LIMIT", 100)
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
    monkeypatch.setattr(metrics, "POINTS_LIMIT", 100)
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
    monkeypatch.setattr(metrics, "_BUFFER_LIMIT_BYTES", 1000)
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


def test_no_file_and_an_empty_file(path: Path, clock: FakeClock) -> None:
    with pytest.raises(NotFoundError, match="cannot read"):
        read_metrics(path)
    write_run(path, clock)
    read = read_metrics(path)
    assert read.iteration.tolist() == read.loss.tolist() == []

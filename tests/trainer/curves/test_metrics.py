from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drivesync.errors import NotFoundError
from tests.trainer.curves.conftest import line, open_writer, tell, write_run
from trainer.curves.curve import Happening, Seam
from trainer.curves.metrics import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trainer.curves.conftest import FakeClock


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


def test_what_else_is_told_is_read(path: Path, clock: FakeClock) -> None:
    with open_writer(path, clock) as writer:
        writer.usage(used_bytes=1, total_bytes=2, busy_percent=3)
        writer.progress(iteration=7, loss=2.0, avg_loss=3.0, rate=0.1, seconds=0.5, images=448)
        tell(writer, 8)
        writer.event("map", iteration=8, value=0.25, classes={"a": 0.5, "b": math.nan})
        writer.event("map", iteration=8, note="no number")
        writer.event("map", value=0.5)
        tell(writer, 9)
        writer.resume(9, kind="restarted", reason="darknet hung")
        tell(writer, 9)
        writer.event("map", iteration=9, value=0.125)
    read = read_metrics(path)
    np.testing.assert_array_equal(read.images, [448, math.nan, math.nan])
    assert read.seams == (Seam("restarted", 9, 1000, "darknet hung"),)
    assert [(found.iteration, found.value) for found in read.maps] == [(8, 0.25), (9, 0.125)]
    assert read.best_map == read.maps[0]
    assert read.maps[0].classes["a"] == 0.5
    assert math.isnan(read.maps[0].classes["b"])
    assert '"classes":{"a":0.5,"b":null}' in path.read_text()
    assert not read.usages, "there was no iteration yet that it could belong to"


def test_a_file_of_an_older_version_reads_as_ever(path: Path, clock: FakeClock) -> None:
    path.parent.mkdir()
    older = (
        line(1)
        + '{"event":"map","i":1,"value":0.5,"t":1000}\n{"event":"resumed","from":2,"t":1000}\n'
        + line(2)
    )
    path.write_text(older)
    with open_writer(path, clock):
        assert path.read_text() == older
    read = read_metrics(path)
    assert read.iteration.tolist() == [1, 2]
    assert np.isnan(read.images).all()
    assert read.maps[0].value == 0.5
    assert read.seams == (Seam("resumed", 2, 1000),)
    assert read.usages == ()


def test_no_file_and_an_empty_file(path: Path, clock: FakeClock) -> None:
    with pytest.raises(NotFoundError, match="cannot read"):
        read_metrics(path)
    write_run(path, clock)
    read = read_metrics(path)
    assert read.iteration.tolist() == read.loss.tolist() == []

"""A metrics file that grows: who was told of each growth has what a reader of the whole file has."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.curves import writer
from trainer.curves.curve import Point, Seam
from trainer.curves.lines import to_line
from trainer.curves.metrics import read_metrics
from trainer.curves.writer import MetricsWriter
from trainer.serving import following
from trainer.serving.following import Following

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.curves.curve import MapPoint
    from trainer.serving.following import Growth


@dataclass
class Viewer:
    """Does what the page in a browser does with what it is sent."""

    mark: str = ""
    points: list[Point] = field(default_factory=list)
    seams: tuple[Seam, ...] = ()
    maps: tuple[MapPoint, ...] = ()
    begun_anew: int = 0

    def hear(self, growth: Growth) -> None:
        if growth.whole:
            self.begun_anew += 1
            self.points = []
        elif growth.keep_below is not None:
            self.points = [point for point in self.points if point.iteration < growth.keep_below]
        self.points += growth.points
        self.mark, self.seams, self.maps = growth.mark, growth.seams, growth.maps

    def agrees_with(self, path: Path) -> bool:
        whole = read_metrics(path)
        return (
            [point.iteration for point in self.points] == whole.iteration.tolist()
            and [point.loss for point in self.points] == whole.loss.tolist()
            and (self.seams, self.maps) == (whole.seams, whole.maps)
        )


def point(iteration: int, loss: float = 1.0) -> Point:
    return Point(iteration, loss, 1.0, 0.001, 0.5, 1_790_000_000.0 + iteration)


def write(path: Path, *records: Point | Seam) -> None:
    with path.open("ab") as file:
        file.writelines(to_line(record) for record in records)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("train"), st.integers(1, 8)),
        st.tuples(st.just("resume"), st.integers(0, 9)),
        st.tuples(st.just("measure"), st.just(0)),
        st.tuples(st.just("write"), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("look"), st.integers(0, 1)),
    ),
    max_size=40,
)


class Run:
    """A run's metrics as its supervisor writes them, each line told from all others by its loss and its time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now_s = 1000.0
        self._iteration = 0
        self._writer = self._open()

    def _open(self) -> MetricsWriter:
        return MetricsWriter(self._path, clock=lambda: 0.0, wall_clock=self._wall_s).__enter__()

    def _wall_s(self) -> float:
        self._now_s += 1
        return self._now_s

    def do(self, step: str, count: int) -> None:
        if step == "train":
            for _ in range(count):
                self._iteration += 1
                self._writer.progress(
                    iteration=self._iteration, loss=self._now_s, avg_loss=1.0, rate=0.001, seconds=0.5
                )
        elif step == "resume":
            self._iteration = max(0, self._iteration - count)
            self._writer.resume(self._iteration + 1)
        elif step == "measure":
            self._writer.event("map", iteration=self._iteration, value=0.5)
            self._writer.event("pushed", iteration=self._iteration)
        elif step == "write":
            self._writer.flush()
        else:
            self.close()
            self._writer = self._open()

    def close(self) -> None:
        self._writer.__exit__(None, None, None)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_whoever_looks_whenever_has_the_curve(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    limit, writer.POINTS_LIMIT = writer.POINTS_LIMIT, 30
    run, following, viewers = Run(path), Following(path), (Viewer(), Viewer())
    try:
        for step, value in [*steps, ("write", 0), ("look", 0), ("look", 1)]:
            if step == "look":
                following.look()
                viewers[value].hear(following.since(viewers[value].mark))
            else:
                run.do(step, value)
    finally:
        run.close()
        writer.POINTS_LIMIT = limit
    assert all(viewer.agrees_with(path) for viewer in viewers)


def test_only_what_is_new_is_read_and_sent(path: Path) -> None:
    following, viewer = Following(path), Viewer()
    write(path, point(1), point(2))
    following.look()
    viewer.hear(following.since(""))
    # What was read is not looked at again: nobody changes it but by taking it away.
    path.write_bytes(b"x" * (path.stat().st_size - 200) + path.read_bytes()[-200:])
    write(path, point(3))
    following.look()
    growth = following.since(viewer.mark)
    assert (growth.whole, growth.points) == (False, (point(3),))
    viewer.hear(growth)
    assert following.since(viewer.mark).points == ()


def test_a_line_is_read_when_it_has_its_end(path: Path) -> None:
    following = Following(path)
    line = to_line(point(1))
    path.write_bytes(line[:20])
    following.look()
    assert following.since("").points == ()
    path.write_bytes(line)
    following.look()
    assert following.since("").points == (point(1),)


def test_a_file_that_goes_and_comes_back(path: Path) -> None:
    following, viewer = Following(path), Viewer()
    following.look()
    viewer.hear(following.since(viewer.mark))
    write(path, point(1), point(2))
    following.look()
    viewer.hear(following.since(viewer.mark))
    path.unlink()
    following.look()
    viewer.hear(following.since(viewer.mark))
    assert viewer.points == []
    write(path, point(1, loss=3.0))
    following.look()
    viewer.hear(following.since(viewer.mark))
    assert viewer.points == [point(1, loss=3.0)]


def test_another_file_with_the_number_of_the_last_is_told_by_its_content(path: Path) -> None:
    following, viewer = Following(path), Viewer()
    write(path, point(1), point(2))
    following.look()
    viewer.hear(following.since(viewer.mark))
    # In place: the inode is the same one, and so, in the end, is the length.
    path.write_bytes(b"".join(to_line(point(number, loss=2.5)) for number in (7, 8, 9)))
    following.look()
    viewer.hear(following.since(viewer.mark))
    assert [point.iteration for point in viewer.points] == [7, 8, 9]


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param("", id="none"),
        pytest.param("ffffffff-2", id="of another server"),
        pytest.param("{name}-", id="cut off"),
        pytest.param("{name}-x", id="no number"),
        pytest.param("{name}-²", id="a digit that is no number"),
        pytest.param("{name}-" + "9" * 5000, id="a number too long to read"),
    ],
)
def test_a_mark_that_stands_for_nothing_gets_all(path: Path, mark: str) -> None:
    following = Following(path)
    write(path, point(1), point(2))
    following.look()
    name = following.mark.partition("-")[0]
    growth = following.since(mark.replace("{name}", name))
    assert (growth.whole, growth.points) == (True, (point(1), point(2)))


def test_a_long_run_is_thinned_and_a_stretch_of_it_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "POINTS_SHOWN", 40)
    growing = Following(path)
    losses = {50: 99.0, 70: 0.01, 90: math.nan}
    write(path, *(point(number, losses.get(number, 1.0)) for number in range(1, 201)))
    growing.look()
    growth = growing.since("")
    shown = {one.iteration for one in growth.points}
    assert growth.thinned
    assert len(shown) <= 40
    assert shown >= {1, 50, 70, 90, 200}
    points, thinned = growing.between(60, 99)
    assert ([one.iteration for one in points], thinned) == ([*range(60, 100)], False)
    points, thinned = growing.between(1, 150)
    assert thinned
    assert len(points) <= 40
    assert growing.between(900, 100) == ((), False)
    # Who was away for long gets no more than who has just come.
    assert growing.since(f"{growing.mark.partition('-')[0]}-1").whole

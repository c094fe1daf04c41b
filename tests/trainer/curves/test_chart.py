"""What a chart shows, and that it can be read: each kind of run, on a phone, light and dark."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from drivesync.errors import LocalWriteError, UsageError
from trainer.curves.chart import draw, main, render
from trainer.curves.curve import Happening, Point, Seam
from trainer.curves.figure import draw_chart
from trainer.curves.lines import to_line
from trainer.curves.metrics import read_metrics
from trainer.curves.palette import DARK, LIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox

    from trainer.curves.curve import Record, SeamKind
    from trainer.curves.metrics import Metrics
    from trainer.curves.palette import Palette
    from trainer.curves.track import By

PHONE_PX = 400
READABLE_PX = 10.0


@dataclass(frozen=True)
class Shape:
    """A run in a few words; losses are the average's, too.

    Attributes:
        losses: of its iterations.
        step: from one iteration to the next.
        seams: their kinds by the first iteration after them.
        means: mAP by iteration, from 0 to 1.
        classes: their names; each has the mean's precision.
    """

    losses: Iterable[float]
    step: int = 1
    seams: Mapping[int, tuple[SeamKind, ...]] = field(default_factory=dict)
    means: Mapping[int, float] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def records(self) -> Iterable[Record]:
        now_s = 1_790_000_000.0
        for index, loss in enumerate(self.losses):
            iteration = 1 + index * self.step
            for kind in self.seams.get(iteration, ()):
                now_s += 9000.0
                yield Seam(kind, iteration, now_s)
            now_s += 2.0 * self.step
            yield Point(iteration, loss, loss, 0.001, 2.0, now_s)
            for measured in range(iteration, iteration + self.step):
                if measured in self.means:
                    value = self.means[measured]
                    classes = dict.fromkeys(self.classes, value)
                    yield Happening("map", measured, now_s, {"value": value, "classes": classes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def make(path: Path) -> Callable[[Shape], Metrics]:
    def write(shape: Shape) -> Metrics:
        path.write_bytes(b"".join(map(to_line, shape.records())))
        return read_metrics(path)

    return write


def falling(count: int, high: float = 900.0) -> list[float]:
    return [0.3 + high * math.exp(-8 * index / count) for index in range(count)]


def rising(*iterations: int) -> dict[int, float]:
    return {iteration: 0.3 + 0.4 * place / len(iterations) for place, iteration in enumerate(iterations)}


def restarts(*iterations: int) -> dict[int, tuple[SeamKind, ...]]:
    kinds: tuple[SeamKind, ...] = ("restarted", "restarted", "restarted")
    return {first: kinds[: 1 + first % 3] for first in iterations}


def sessions(*iterations: int) -> dict[int, tuple[SeamKind, ...]]:
    return dict.fromkeys(iterations, ("resumed",))


FULL = "ten sessions, with all there is"
SHAPES = {
    "nothing": Shape([]),
    "one iteration": Shape([2.5]),
    "one iteration and a mAP": Shape([2.5], means={1: 0.5}),
    "three": Shape([9.0, 3.0, 2.0]),
    "long": Shape(
        falling(20_000), step=25, means=rising(*range(1001, 500_000, 4000)), classes=("cat", "dog")
    ),
    "nan stretches": Shape([*falling(400), *[math.nan] * 40, 1.0, 0.9, math.nan, 0.8, *[math.nan] * 9]),
    "nothing but nan": Shape([math.nan] * 30),
    "mAP at the end": Shape(falling(1200), means={1200: 1.0}),
    "30 restarts": Shape(
        falling(4000),
        seams=restarts(*range(101, 4000, 130)),
        means=rising(*range(1000, 4000, 100)),
    ),
    FULL: Shape(
        [*falling(8000), math.nan],
        seams={**restarts(*range(50, 8000, 250)), **sessions(*range(701, 8000, 700))},
        means=rising(*range(1000, 8000, 500)),
        classes=("W" * 300, "$x^2$ WWWWWWWW", "_WHEELBARROW", "line\nfeed of WOODWORK"),
    ),
    "many classes": Shape(falling(3000), means=rising(1000, 2000), classes=tuple("abcdefghij")),
    "huge": Shape([8.1e8, 3e-5] * 50),
    "hardly any rate of change": Shape([2.0] * 100),
}


def as_hex(colour: object) -> str:
    assert isinstance(colour, tuple)
    return "#" + bytes(colour[:3]).hex()


def lines_of(axes: Axes, gid: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_gid() == gid]


def read(line: Line2D) -> tuple[list[float], list[float]]:
    """A line's finite points."""
    x, y = (np.asarray(values, dtype=float) for values in (line.get_xdata(), line.get_ydata()))
    there = np.isfinite(y)
    return x[there].tolist(), y[there].tolist()


def drawn_texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """All that is written in a figure that has been drawn; ticks beyond an axis' ends are not."""
    hidden: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high or not axes.axison:
                    hidden |= {id(tick.label1), id(tick.label2)}
            if not axes.axison:
                hidden.add(id(axis.label))
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [
        (text, text.get_window_extent())
        for text in {id(text): text for text in texts}.values()
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def check_readable(figure: Figure) -> None:
    figure.draw_without_rendering()
    texts = drawn_texts(figure)
    assert texts
    for text, box in texts:
        said = text.get_text()
        assert float(text.get_fontsize()) * figure.dpi / 72 >= READABLE_PX, said
        assert figure.bbox.containsx(box.x0), said
        assert figure.bbox.containsx(box.x1), said
        assert figure.bbox.containsy(box.y0), said
        assert figure.bbox.containsy(box.y1), said
        others = [other for other in texts if other[0] is not text]
        overlapped = [
            other.get_text() for other, around in others if box.padded(-1).overlaps(around.padded(-1))
        ]
        assert not overlapped, said
        if said != "no iteration yet":
            assert not any(box.padded(-1).overlaps(axes.get_window_extent()) for axes in figure.axes), said


@pytest.mark.parametrize(
    ("name", "by"),
    [
        *[pytest.param(name, "iteration", id=name) for name in SHAPES],
        *[pytest.param(name, "time", id=f"{name}, by time") for name in ("one iteration", FULL)],
    ],
)
def test_every_run_can_be_read_on_a_phone(make: Callable[[Shape], Metrics], name: str, by: By) -> None:
    check_readable(draw_chart(make(SHAPES[name]), "a run " * 30, by=by, width_px=PHONE_PX))


def test_several_runs_can_be_read_on_a_phone(make: Callable[[Shape], Metrics]) -> None:
    runs = {
        f"{'somewhere/' * number}backup/{name}": make(shape)
        for number, (name, shape) in enumerate(SHAPES.items())
    }
    figure = draw_chart(runs, width_px=PHONE_PX)
    check_readable(figure)
    said = [text.get_text() for text, _ in drawn_texts(figure)]
    assert all(any(name[-5:] in text for text in said) for name in SHAPES)


@pytest.mark.parametrize("palette", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_colours_stand_out(palette: Palette) -> None:
    texts = palette.ink, palette.muted, palette.trouble, palette.loss, palette.mean, palette.rate
    assert min(contrast(colour, palette.ground) for colour in texts) >= 4.5
    lines = *palette.classes, *palette.runs, palette.seam
    assert min(contrast(colour, palette.ground) for colour in lines) >= 3
    assert len({*palette.runs}) == len(palette.runs)
    assert len({*palette.classes, palette.mean}) == len(palette.classes) + 1


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted([luminance(one), luminance(other)])
    return (bright + 0.05) / (dark + 0.05)


def test_either_ground_is_seen_on_a_page_of_either_kind() -> None:
    for palette in (LIGHT, DARK):
        assert palette.ground not in ("#ffffff", "#000000")


def test_curves_are_the_metrics(make: Callable[[Shape], Metrics]) -> None:
    shape = Shape(
        falling(300),
        seams={101: ("resumed",), 201: ("restarted", "restarted")},
        means={100: 0.25, 200: 0.75, 300: 0.5},
        classes=("cat", "dog"),
    )
    metrics = make(shape)
    loss, mean, rate = draw_chart(metrics).axes
    for gid, values in (("average", metrics.avg_loss), ("each", metrics.loss)):
        (line,) = lines_of(loss, gid)
        assert read(line) == (metrics.iteration.tolist(), values.tolist())
    (line,) = lines_of(mean, "mean")
    assert read(line) == ([100, 200, 300], [25, 75, 50])
    assert [read(line) for line in lines_of(mean, "class")] == [([100, 200, 300], [25, 75, 50])] * 2
    (star,) = lines_of(mean, "best")
    assert read(star) == ([200], [75])
    (line,) = lines_of(rate, "rate")
    assert read(line) == (metrics.iteration.tolist(), metrics.rate.tolist())
    for axes in (loss, mean, rate):
        places = {gid: [line.get_xdata() for line in lines_of(axes, gid)] for gid in ("resumed", "restarted")}
        assert places == {"resumed": [[101, 101]], "restarted": [[201, 201]]}


def test_what_is_written_above_the_panels(make: Callable[[Shape], Metrics]) -> None:
    figure = draw_chart(make(Shape([*falling(300)], means={100: 0.25, 200: 0.755, 300: 0.5})), "a $x$ run")
    figure.draw_without_rendering()
    said = [text.get_text() for text, _ in drawn_texts(figure)]
    assert {"a $x$ run", "avg loss", "0.6101", "mAP", "50.0%", "\N{BLACK STAR} best 75.5% at 200"} <= {*said}
    assert {"learning rate", "0.001", "iteration"} <= {*said}


def test_an_average_breaks_where_training_was_interrupted(make: Callable[[Shape], Metrics]) -> None:
    """It starts over there, and a line across would show something that never was."""
    loss, _ = draw_chart(make(Shape(falling(300), seams={101: ("resumed",), 201: ("restarted",)}))).axes
    (line,) = lines_of(loss, "average")
    x, y = (np.asarray(values, dtype=float) for values in (line.get_xdata(), line.get_ydata()))
    assert [x[at - 1] for at in np.flatnonzero(np.isnan(y))] == [100, 200]


def test_what_is_no_number_is_red_however_short(make: Callable[[Shape], Metrics]) -> None:
    losses = falling(1000)
    losses[500] = math.nan
    quiet, _ = draw_chart(make(Shape(falling(1000)))).axes
    assert not [patch for patch in quiet.patches if patch.get_gid() == "gap"]
    figure = draw_chart(make(Shape([*losses, math.nan])))
    gaps = [patch.get_extents() for patch in figure.axes[0].patches if patch.get_gid() == "gap"]
    inverted = figure.axes[0].transData.inverted()
    places = [
        (float(inverted.transform((box.x0, 1))[0]), float(inverted.transform((box.x1, 1))[0])) for box in gaps
    ]
    assert places == [pytest.approx((500.5, 501.5)), pytest.approx((1000.5, 1001.0))]
    figure.draw_without_rendering()
    (last,) = (
        text
        for text, _ in drawn_texts(figure)
        if text.get_text() == "nan" and text.get_fontweight() == "bold"
    )
    assert last.get_color() == LIGHT.trouble


def test_a_point_without_neighbours_is_a_dot(make: Callable[[Shape], Metrics]) -> None:
    loss, _ = draw_chart(make(Shape([3.0, 2.5, math.nan, 2.0, math.nan, 1.5]))).axes
    (dots,) = lines_of(loss, "alone")
    assert read(dots) == ([4, 6], [2.0, 1.5])


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        pytest.param([9.0, 3.0, 1.0], "linear", id="within a factor of ten"),
        pytest.param([900.0, 30.0, 1.0], "log", id="over many"),
        pytest.param([900.0, math.nan, 1.0], "log", id="with a nan"),
        pytest.param([9.0, 1.0, 0.0], "linear", id="zero has no logarithm"),
        pytest.param([2.0, 2.0, 2.0], "linear", id="constant"),
        pytest.param([0.0], "linear", id="a single zero"),
        pytest.param([math.nan, math.nan], "linear", id="nothing but nan"),
    ],
)
def test_scale(make: Callable[[Shape], Metrics], losses: list[float], scale: str) -> None:
    loss, rate = draw_chart(make(Shape(losses))).axes
    assert loss.get_yscale() == scale
    low, high = loss.get_ylim()
    assert all(low < value < high for value in losses if math.isfinite(value))
    assert rate.get_ylim()[0] == 0


def test_one_spike_does_not_flatten_the_curve(path: Path) -> None:
    points = [Point(at, 1e6 if at == 500 else 2.0, 2.0, 0.001, 0.1, 1e9 + at) for at in range(1, 1001)]
    path.write_bytes(b"".join(map(to_line, points)))
    assert draw_chart(read_metrics(path)).axes[0].get_ylim()[1] < 10


@pytest.mark.parametrize(
    ("means", "low", "high"),
    [
        pytest.param({1: 0.6, 2: 0.61}, 50, 70, id="a change of one is no leap"),
        pytest.param({1: 0.0, 2: 0.01}, -5, 12, id="not below nothing"),
        pytest.param({1: 0.99, 2: 1.0}, 90, 105, id="not above all"),
        pytest.param({1: 0.0, 2: 1.0}, -5, 105, id="all there is"),
    ],
)
def test_scale_of_the_mean(
    make: Callable[[Shape], Metrics], means: dict[int, float], low: float, high: float
) -> None:
    _, mean, _ = draw_chart(make(Shape([2.0, 1.0, 1.0], means=means))).axes
    bottom, top = mean.get_ylim()
    assert low <= bottom < 100 * min(means.values())
    assert high >= top > 100 * max(means.values())
    assert top - bottom >= 9.99


def test_time_is_that_of_training(make: Callable[[Shape], Metrics]) -> None:
    """Two seconds an iteration; hours between the sessions."""
    metrics = make(Shape(falling(300), seams={101: ("resumed",)}, means={200: 0.5}))
    loss, mean, _ = draw_chart(metrics, by="time").axes
    (line,) = lines_of(loss, "average")
    assert read(line)[0] == pytest.approx((2 * metrics.iteration / 60).tolist())
    (star,) = lines_of(mean, "best")
    assert read(star)[0] == pytest.approx([400 / 60])


def test_seams_that_are_no_longer_apart_are_one_line_and_all_counted(
    make: Callable[[Shape], Metrics],
) -> None:
    shape = Shape(falling(5000), seams={1001: ("restarted",), 1003: ("resumed",), 3001: ("restarted",) * 3})
    figure = draw_chart(make(shape))
    figure.draw_without_rendering()
    assert [line.get_xdata() for line in lines_of(figure.axes[0], "resumed")] == [[1003, 1003]]
    assert [line.get_xdata() for line in lines_of(figure.axes[0], "restarted")] == [[3001, 3001]]
    times = "\N{MULTIPLICATION SIGN}"
    assert {"session", f"restart {times}4"} <= {text.get_text() for text, _ in drawn_texts(figure)}


def test_a_seam_before_its_first_iteration_is_drawn(path: Path) -> None:
    records: list[Record] = [Point(1, 3.0, 3.0, 0.001, 1.0, 1.0), Seam("resumed", 2, 9.0)]
    path.write_bytes(b"".join(map(to_line, records)))
    assert lines_of(draw_chart(read_metrics(path)).axes[0], "resumed")


def test_several_runs_have_a_colour_each_and_their_last_numbers(make: Callable[[Shape], Metrics]) -> None:
    runs = {
        "a": make(Shape([4.0, 2.0], means={2: 0.5})),
        "$b$": make(Shape([3.0, 1.0, 0.5])),
        "_c": make(Shape([])),
    }
    figure = draw_chart(runs, "three")
    figure.draw_without_rendering()
    assert [read(line)[1] for line in lines_of(figure.axes[0], "average")] == [
        [4.0, 2.0],
        [3.0, 1.0, 0.5],
        [],
    ]
    colours = [line.get_color() for line in lines_of(figure.axes[0], "average")]
    assert colours == list(LIGHT.runs[:3])
    assert not lines_of(figure.axes[0], "each")
    said = {text.get_text() for text, _ in drawn_texts(figure)}
    assert {"a: 2, \N{BLACK STAR} 50.0%", "$b$: 0.5", "_c: no iteration yet"} <= said


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        pytest.param("a.png", rb"\x89PNG", id="png"),
        pytest.param("a.SVG", rb"<\?xml", id="svg"),
        pytest.param("a.pdf", rb"%PDF", id="pdf"),
    ],
)
def test_format_is_that_of_the_name(
    make: Callable[[Shape], Metrics], path: Path, name: str, begins: bytes
) -> None:
    out = path.with_name(name)
    draw(make(SHAPES["three"]), out=out, title="\N{CJK UNIFIED IDEOGRAPH-732B}")
    assert re.match(begins, out.read_bytes())


def test_the_picture_fits_a_phone_and_replaces_the_last_one(
    make: Callable[[Shape], Metrics], path: Path
) -> None:
    out = path.with_name("chart.png")
    out.write_bytes(b"the last one")
    draw(make(SHAPES["three"]), out=out)
    with Image.open(out) as picture:
        assert (picture.format, picture.width) == ("PNG", 1080)
        assert picture.height < 2 * picture.width
        colours = {as_hex(colour) for _, colour in picture.getcolors(1 << 20) or ()}
    assert {LIGHT.ground, LIGHT.loss, LIGHT.rate} <= colours
    assert sorted(sibling.name for sibling in path.parent.iterdir()) == ["chart.png", "metrics.jsonl"]


def test_the_same_metrics_are_the_same_picture(make: Callable[[Shape], Metrics]) -> None:
    metrics = make(SHAPES["three"])
    assert render(metrics) == render(metrics)


def test_what_is_no_picture(make: Callable[[Shape], Metrics], path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.gif"):
        draw(make(SHAPES["three"]), out=path.with_name("a.gif"))


def test_a_picture_that_cannot_be_written_leaves_what_is_there(
    make: Callable[[Shape], Metrics], path: Path
) -> None:
    out = path.with_name("chart.png")
    out.mkdir()
    with pytest.raises(LocalWriteError, match=r"chart\.png"):
        draw(make(SHAPES["three"]), out=out)
    assert sorted(sibling.name for sibling in path.parent.iterdir()) == ["chart.png", "metrics.jsonl"]


def test_as_a_program_in_a_notebook(make: Callable[[Shape], Metrics], path: Path) -> None:
    """Notebooks set a backend of their own for every child; it need not even be installed here."""
    make(SHAPES["three"])
    out = path.with_name("a.png")
    command = [
        sys.executable,
        "-m",
        "trainer.curves.chart",
        str(path),
        str(out),
        "--title",
        "remote",
        "--dark",
    ]
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Image.open(out) as picture:
        assert as_hex(picture.convert("RGB").getpixel((0, 0))) == DARK.ground


@pytest.mark.parametrize(
    ("metrics_name", "png_name", "status"),
    [
        pytest.param("metrics.jsonl", "chart.png", 0, id="done"),
        pytest.param("none.jsonl", "chart.png", 66, id="no metrics"),
        pytest.param("metrics.jsonl", "chart.doc", 64, id="no picture"),
        pytest.param("metrics.jsonl", "none/chart.png", 73, id="no place for the picture"),
    ],
)
def test_exit_status(
    make: Callable[[Shape], Metrics],
    path: Path,
    metrics_name: str,
    png_name: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(SHAPES["one iteration"])
    assert main([str(path.with_name(metrics_name)), str(path.parent / png_name)]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == (status != 0)

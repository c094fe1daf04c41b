from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from drivesync.errors import LocalWriteError
from trainer.curves.chart import draw_chart, main, save_chart
from trainer.curves.metrics import MetricsWriter, read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes


def write_run(path: Path, losses: Iterable[float], *, resumed: tuple[tuple[int, str], ...] = ()) -> Path:
    """A run whose average is its loss; each ``resumed`` is a seam at which nothing is trained again."""
    seams = dict(resumed)
    with MetricsWriter(path) as writer:
        for iteration, loss in enumerate(losses, 1):
            if iteration in seams:
                writer.resume(iteration, kind="resumed" if seams[iteration] == "resumed" else "restarted")
            writer.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.001, seconds=0.1)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def draw(path: Path, title: str = "remote") -> tuple[Axes, Axes]:
    figure = draw_chart(read_metrics(path), title)
    figure.canvas.draw()
    loss_axes, rate_axes = figure.axes
    return loss_axes, rate_axes


def read_texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def read_average(axes: Axes) -> tuple[list[float], list[float]]:
    (line,) = (line for line in axes.lines if line.get_label() == "average")
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


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
def test_scale(path: Path, losses: list[float], scale: str) -> None:
    loss_axes, rate_axes = draw(write_run(path, losses))
    assert loss_axes.get_yscale() == scale
    low, high = loss_axes.get_ylim()
    assert all(low < loss < high for loss in losses if math.isfinite(loss))
    assert rate_axes.get_ylim()[0] == 0


def test_one_spike_does_not_flatten_the_curve(path: Path) -> None:
    with MetricsWriter(path) as writer:
        for iteration in range(1, 1001):
            loss = 1e6 if iteration == 500 else 2.0
            writer.progress(iteration=iteration, loss=loss, avg_loss=2.0, rate=0.001, seconds=0.1)
    loss_axes, _ = draw(path)
    assert loss_axes.get_ylim()[1] < 10


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        pytest.param([3.0, 2.0, 0.41234], "0.4123", id="number"),
        pytest.param([3.0, 2.0, math.nan], "nan", id="diverged"),
    ],
)
def test_the_last_average_is_written_out(path: Path, losses: list[float], text: str) -> None:
    loss_axes, _ = draw(write_run(path, losses))
    assert read_texts(loss_axes) == [text]


def test_a_stretch_without_numbers_is_marked(path: Path) -> None:
    quiet, _ = draw(write_run(path, [3.0, 2.0, 1.0]))
    assert not quiet.collections
    path.unlink()
    troubled, _ = draw(write_run(path, [3.0, 2.0, math.nan, math.nan, math.nan]))
    (stretch,) = troubled.collections
    box = stretch.get_paths()[0].get_extents()
    assert (box.x0, box.x1) == (3, 5)


def test_seams_are_drawn_labelled_and_break_the_average(path: Path) -> None:
    write_run(path, [5.0 - i / 100 for i in range(300)], resumed=((101, "resumed"), (201, "restarted")))
    loss_axes, rate_axes = draw(path)
    assert read_texts(loss_axes)[1:] == ["resumed", "restarted"]
    for axes in (loss_axes, rate_axes):
        places = [(np.asarray(line.get_xdata()).tolist(), line.get_linestyle()) for line in axes.lines]
        lines = {place[0]: style for place, style in places if len(place) == 2}
        assert lines == {101: "-", 201: ":"}
    iterations, _ = read_average(loss_axes)
    assert [iterations[index - 1] for index, x in enumerate(iterations) if math.isnan(x)] == [100, 200]


def test_seams_at_one_place_are_counted_and_close_ones_share_a_label(path: Path) -> None:
    write_run(path, [5.0] * 1000)
    with MetricsWriter(path) as writer:
        for first_iteration in (101, 101, 101, 110, 500):
            writer.resume(first_iteration, kind="restarted")
            for iteration in range(first_iteration, 1001):
                writer.progress(iteration=iteration, loss=5.0, avg_loss=5.0, rate=0.001, seconds=0.1)
    loss_axes, _ = draw(path)
    assert read_texts(loss_axes)[1:] == ["restarted \N{MULTIPLICATION SIGN}3", "restarted"]


def test_a_seam_before_its_first_iteration_is_drawn(path: Path) -> None:
    write_run(path, [3.0, 2.0])
    with MetricsWriter(path) as writer:
        writer.resume(3)
    loss_axes, _ = draw(path)
    assert "resumed" in read_texts(loss_axes)


def test_a_run_without_an_iteration_says_so(path: Path) -> None:
    path.touch()
    loss_axes, _ = draw(path)
    assert read_texts(loss_axes) == ["no iteration yet"]


def test_a_title_is_no_formula(path: Path) -> None:
    loss_axes, _ = draw(write_run(path, [1.0]), r"my $\frac{cfg$ 100%")
    assert loss_axes.figure.get_suptitle() == r"my $\frac{cfg$ 100%"


def test_the_picture_fits_a_phone_and_replaces_the_last_one(path: Path) -> None:
    png_path = path.with_name("chart.png")
    png_path.write_bytes(b"the last one")
    save_chart(write_run(path, [3.0, 2.0, 1.0]), png_path, "remote")
    with Image.open(png_path) as picture:
        assert (picture.format, picture.width) == ("PNG", 1080)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
    assert {(0x25, 0x63, 0xEB), (0x0F, 0x8F, 0x6B), (255, 255, 255)} <= colours
    assert sorted(sibling.name for sibling in path.parent.iterdir()) == ["chart.png", "metrics.jsonl"]


def test_a_picture_that_cannot_be_written_leaves_the_last_one(path: Path) -> None:
    (path.parent / ".chart.png.part").mkdir()
    png_path = path.with_name("chart.png")
    png_path.write_bytes(b"the last one")
    with pytest.raises(LocalWriteError, match=r"chart\.png"):
        save_chart(write_run(path, [1.0]), png_path)
    assert png_path.read_bytes() == b"the last one"


def test_as_a_program_in_a_notebook(path: Path) -> None:
    """Notebooks set a backend of their own for every child; it need not even be installed here."""
    write_run(path, [3.0, 2.0, 1.0])
    command = [
        sys.executable,
        "-m",
        "trainer.curves.chart",
        str(path),
        str(path.with_name("a.png")),
        "--title",
        "remote",
    ]
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Image.open(path.with_name("a.png")) as picture:
        assert picture.width == 1080


@pytest.mark.parametrize(
    ("metrics_name", "png_name", "status"),
    [
        pytest.param("metrics.jsonl", "chart.png", 0, id="done"),
        pytest.param("none.jsonl", "chart.png", 66, id="no metrics"),
        pytest.param("metrics.jsonl", "none/chart.png", 73, id="no place for the picture"),
    ],
)
def test_exit_status(
    path: Path, metrics_name: str, png_name: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(path, [1.0])
    assert main([str(path.with_name(metrics_name)), str(path.parent / png_name)]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == (status != 0)

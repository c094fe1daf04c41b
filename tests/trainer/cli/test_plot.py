"""``plot``: which run is drawn, where to, and under which name."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from drivesync.cli.running import run_command
from trainer.cli.plot import plot_command
from trainer.curves.metrics import read_metrics
from trainer.curves.writer import MetricsWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; the command leaves a backend to matplotlib, which is not to outlive the test."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def train(metrics: Path, losses: tuple[float, ...] = (3.0, 2.0)) -> Path:
    with MetricsWriter(metrics) as writer:
        for iteration, loss in enumerate(losses, 1):
            writer.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.001, seconds=1.0)
        writer.event("map", iteration=len(losses), value=0.5)
    return metrics


def plot(*argv: str | Path) -> int:
    return run_command(plot_command, list(map(str, argv)))


def names_in(svg: Path) -> str:
    """What an SVG of matplotlib says; each text stands in a comment before its outlines."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg.read_text()))


def test_the_default_tree_to_a_name_that_nobody_has(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(here / "darknet/backup/metrics.jsonl")
    (here / "chart.png").write_bytes(b"somebody's")
    assert plot("--by", "iteration") == 0
    assert plot("--by", "iteration") == 0
    assert capsys.readouterr().out == "drawn: chart-2.png\ndrawn: chart-3.png\n"
    assert (here / "chart.png").read_bytes() == b"somebody's"
    with Image.open("chart-3.png") as picture:
        assert (picture.format, picture.width) == ("PNG", 1080)


def test_a_named_file_is_replaced_and_a_dark_one_by_time(here: Path, tree: Path) -> None:
    train(tree / "backup/metrics.jsonl")
    out = here / "a.svg"
    out.write_bytes(b"older")
    assert plot(tree, "--out", out, "--dark", "--by", "time") == 0
    assert {"my tree", "avg loss", "seconds trained"} <= {*names_in(out).splitlines()}
    assert "#161b22" in out.read_text()
    assert plot(tree, "--out", out, "--title", "of mine") == 0
    assert {"of mine", "iteration"} <= {*names_in(out).splitlines()}


def test_the_folder_that_the_data_file_names(here: Path, tree: Path) -> None:
    train(tree / "results/here/metrics.jsonl")
    (tree / ".trainer").mkdir()
    (tree / ".trainer/run.json").write_text(json.dumps({"backup": "results/here"}))
    assert plot(tree, "--out", "a.png") == 0
    assert (here / "a.png").is_file()


def test_a_tree_and_what_it_was_started_over_from(here: Path, tree: Path) -> None:
    for folder in ("", "archive-20261122-120000", "archive-20261123-120000-2"):
        train(tree / "backup" / folder / "metrics.jsonl")
    (tree / "backup/archive-20261101-000000").mkdir()
    assert plot("--runs", tree, "--out", "a.svg") == 0
    said = names_in(here / "a.svg")
    assert re.findall(r"^(.*): 2, ", said, re.MULTILINE) == [
        "my tree",
        "my tree/backup/archive-20261122-120000",
        "my tree/backup/archive-20261123-120000-2",
    ]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        pytest.param(["../one", "../two"], ["one", "two"], id="trees"),
        pytest.param(
            ["../one/", "../two/backup/metrics.jsonl", "../one"], ["one", "two"], id="one named twice"
        ),
        pytest.param(["../two", "../other.jsonl"], ["two", "other.jsonl"], id="a file of its own"),
        pytest.param(["../one", "../one/old/run"], ["one", "one/old/run"], id="a folder in a tree"),
        pytest.param(["../one/old/run"], [], id="a single one"),
    ],
)
def test_names_of_runs(here: Path, named: list[str], said: list[str]) -> None:
    for file in (
        "one/backup/metrics.jsonl",
        "two/backup/metrics.jsonl",
        "other.jsonl",
        "one/old/run/metrics.jsonl",
    ):
        train(here.parent / file)
    assert plot("--runs", *named, "--out", "a.svg") == 0
    assert re.findall(r"^(.*): 2, ", names_in(here / "a.svg"), re.MULTILINE) == said


def test_a_table(here: Path, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = train(tree / "backup/metrics.jsonl")
    assert plot(tree, "--csv", "a.csv") == 0
    assert capsys.readouterr().out == "written: a.csv\n"
    with (here / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["avg_loss"]) for row in rows] == read_metrics(metrics).avg_loss.tolist()
    assert [entry.name for entry in here.iterdir()] == ["a.csv"]
    assert plot(tree, "--csv", "a.csv", "--out", "a.pdf") == 0
    assert capsys.readouterr().out == "drawn: a.pdf\nwritten: a.csv\n"


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        pytest.param(["no such tree"], 66, "nothing has been trained in no such tree", id="no tree"),
        pytest.param(["--runs", "tree", "no"], 66, "nothing has been trained in no", id="one of two"),
        pytest.param(["tree", "tree"], 64, "--runs", id="two without --runs"),
        pytest.param([""], 64, "it is empty", id="an empty name"),
        pytest.param(["tree", "--csv", ""], 64, "it is empty", id="an empty name for a file"),
        pytest.param(["tree", "--out", "a.gif"], 64, "a.gif is not called like a picture", id="format"),
        pytest.param(["tree", "--by", "moon"], 64, "moon", id="axis"),
        pytest.param(["tree", "--runs", "--csv", "a.csv"], 64, "--csv", id="a table of several"),
        pytest.param(["tree", "--out", "no/a.png"], 73, "no/a.png", id="no folder"),
        pytest.param(["tree", "--csv", "no/a.csv"], 73, "no/a.csv", id="no folder for a table"),
    ],
)
def test_one_line_and_an_exit_status(
    here: Path, argv: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train(here / "tree/backup/metrics.jsonl")
    assert plot(*argv) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert len(output.err.splitlines()) == 1
    assert [entry.name for entry in here.iterdir()] == ["tree"]


def test_a_folder_that_takes_no_file(here: Path, tree: Path) -> None:
    """Nobody is kept from writing by a mode where the tests run as root; a folder that is gone keeps everybody."""
    train(tree / "backup/metrics.jsonl")
    here.rmdir()
    assert plot(tree) == 73


def test_in_a_notebooks_cell(here: Path, tree: Path) -> None:
    """Its backend is of no use to a child, and need not be installed for its Python."""
    train(tree / "backup/metrics.jsonl")
    code = f"from trainer.cli.plot import plot_command; plot_command([{str(tree)!r}])"
    environment = os.environ | {"MPLBACKEND": "module://no_such_backend"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "drawn: chart.png\n", "")
    assert (here / "chart.png").is_file()


LINE = b'{"i":1,"loss":2.0,"avg":2.0,"rate":0.001,"s":0.1,"t":1}\n'


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        pytest.param(b"", 66, "no iteration has been trained yet", id="empty"),
        pytest.param(b'{"event":"resumed","from":1,"t":1}\n', 66, "no iteration", id="only begun"),
        pytest.param(b"garbage\n\x00\xff\n", 65, "nothing in ", id="garbage"),
        pytest.param(LINE + b"a\nb\n\nc\n" + LINE[:20], 0, "3 lines of ", id="ruins"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, status: int, said: str
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(content)
    assert plot(metrics, "--csv", tmp_path / "numbers.csv") == status
    assert said in capsys.readouterr().err


def test_73_the_file_that_was_asked_for_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(LINE)
    assert plot(metrics, "--csv", "/proc/numbers.csv") == 73
    assert "cannot write /proc/numbers.csv: " in capsys.readouterr().err

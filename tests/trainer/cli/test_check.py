"""``check``: what it prints for people and for programs, its exit status, and what ``--fix`` leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trainer.checking.check import check
from trainer.checking.mending import mend, plan_mending
from trainer.cli import run
from trainer.config import Wishes
from trainer.testing import make_tree

CRLF = (
    b"classes = 2\r\ntrain = data/train.txt\r\nvalid = data/test.txt\r\n"
    b"names = data/remote.names\r\nbackup = backup/\r\n"
)


@pytest.fixture
def tree(tree: Path) -> Path:
    make_tree(tree, images=4, negatives=1)
    # As the original, so that nothing depends on what is installed here.
    (tree / "darknet").write_bytes(b"#!/bin/sh\n# %f rate, %lf seconds, \n")
    (tree / "darknet").chmod(0o755)
    return tree


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("clean"), images=4, negatives=1).root


def read_all(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def check_json(tree: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    status = run(["check", "--json", *options, str(tree)])
    return status, json.loads(capsys.readouterr().out)


def test_a_clean_tree(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_all(tree)
    assert run(["check", "--deep", str(tree)]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "data/train.txt: 4 images, 3 with boxes, 1 negative",
        "data/test.txt: 2 images, 1 with boxes, 1 negative",
        "check: nothing is wrong (by the rules of the original darknet (2018))",
    ]
    assert output.err == ""
    assert read_all(tree) == before


def test_errors_come_first_each_with_its_line_its_effect_and_its_remedy(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = tree / "cfg/remote.cfg"
    cfg.write_text(cfg.read_text().replace("filters=21", "filters=18").replace("width=64", "width=60"))
    assert run(["check", str(tree)]) == 78
    output = capsys.readouterr()
    assert output.out.splitlines()[:6] == [
        "error: cfg/remote.cfg:41: filters=18 does not fit the [yolo] in line 47 with classes=2.",
        "    darknet ends at the start.",
        "    Set filters=21 ((classes + 5) * the number of masks).",
        "warning: cfg/remote.cfg:4: width=60 is no multiple of 32.",
        "    darknet needs one; other sizes it mostly rounds, and what lies at the edge is lost.",
        "    Set width=64.",
    ]
    assert output.out.endswith("check: 1 error, 1 warning (by the rules of the original darknet (2018))\n")
    assert output.err.endswith(f": 1 error in {tree}.\n")


def test_warnings_alone_are_no_failure(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "data/remote.names").write_text("circle\n")
    status, said = check_json(tree, capsys)
    assert (status, said["passed"]) == (0, True)
    assert [(one["code"], one["path"], one["line"]) for one in said["findings"]] == [
        ("names-differ", "data/remote.names", 1)
    ]


def test_for_programs(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "data/train/1.txt").unlink()
    status, said = check_json(tree, capsys)
    assert (status, said["passed"], said["darknet"], said["tree"]) == (78, False, "PJ", str(tree))
    assert (said["images"], said["negatives"], said["unlabelled"], said["mendings"]) == (6, 2, 1, [])
    assert said["lists"][0] == {
        "path": "data/train.txt", "images": 4, "usable": 2, "negatives": 1, "unlabelled": 1
    }  # fmt: skip
    assert [(one["severity"], one["path"], one["line"]) for one in said["findings"]] == [
        ("error", "data/train.txt", 1)
    ]


def test_a_dry_run_shows_what_it_would_change_and_changes_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "cfg/remote.data").write_bytes(CRLF)
    before = read_all(tree)
    for options in (["--dry-run"], ["--fix", "--dry-run"]):
        assert run(["check", *options, str(tree)]) == 78
        output = capsys.readouterr()
        assert "-classes = 2\\r" in output.out.splitlines()
        assert "+classes = 2" in output.out.splitlines()
        assert "(--fix does it)" in output.out
        assert "`trainer check --fix` mends" in output.err
        assert read_all(tree) == before


def test_fix_mends_shows_it_first_and_keeps_the_original(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = read_all(tree)
    (tree / "cfg/remote.data").write_bytes(CRLF)
    assert run(["check", "--fix", str(tree)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said.index("-classes = 2\\r") < said.index(
        "mended 1 file; what was there before is in cfg/remote.data.orig"
    )
    assert said[-1].startswith("check: nothing is wrong")
    assert read_all(tree) == {**clean, "cfg/remote.data.orig": CRLF}
    assert run(["check", "--fix", str(tree)]) == 0
    assert read_all(tree) == {**clean, "cfg/remote.data.orig": CRLF}


def test_fix_makes_the_directory_for_weights(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "backup").rmdir()
    status, said = check_json(tree, capsys, "--fix")
    assert (status, said["findings"]) == (0, [])
    assert [(one["path"], one["mended"]) for one in said["mendings"]] == [("backup", True)]
    assert (tree / "backup").is_dir()


def test_what_is_printed_moves_no_cursor(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "data/train.txt").write_bytes(b"\x1b[2J.png\n")
    assert run(["check", "--fix", str(tree)]) == 78
    assert "\x1b" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        pytest.param(["no such tree"], 66, "there is no tree at no such tree", id="no tree"),
        pytest.param(
            ["{tree}", "--darknet", "/no/darknet"], 66, "/no/darknet is no program", id="no darknet"
        ),
        pytest.param(["{tree}", "--cfg", "cfg/x.cfg"], 78, "1 error in", id="no cfg of that name"),
        pytest.param(["{tree}", "--", "-map"], 78, "1 error in", id="a flag that this darknet does not know"),
    ],
)
def test_exit_status(
    tree: Path, argv: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *(word.format(tree=tree) for word in argv)]) == status
    assert said in capsys.readouterr().err


Break = Callable[[bytes], bytes]


def insert(piece: bytes, where: float) -> Break:
    return lambda raw: raw[: round(where * len(raw))] + piece + raw[round(where * len(raw)) :]


WHOLE: list[Break] = [
    lambda raw: raw.replace(b"\n", b"\r\n"),
    lambda raw: b"\xef\xbb\xbf" + raw,
    lambda raw: raw + raw,
    lambda raw: raw.replace(b"\n", b" \n"),
    lambda raw: raw.replace(b"/", b"\\"),
    lambda raw: raw.replace(b"\n", b"\n\n"),
    lambda _: b"",
    lambda raw: raw[: len(raw) // 2],
]
"""What is done to a file as a whole, by editors for the most part."""

PIECES = [
    b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n\n", b" \t", b"\0", b"\xff", b"=", b"[", b",", b"\\", b"-9", b"nan", b"#",
    b"../",
]  # fmt: skip
FILES = [
    "cfg/remote.data", "cfg/remote.cfg", "data/remote.names", "data/train.txt", "data/test.txt", "data/train/1.txt",
    "data/train/1.png", "yolov4-tiny.conv.29", "data/negatives.txt",
]  # fmt: skip
BREAKS = st.sampled_from(WHOLE) | st.builds(insert, st.sampled_from(PIECES), st.floats(0, 1))


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    breaks=st.lists(st.tuples(st.sampled_from(FILES), BREAKS), max_size=6),
    gone=st.sets(st.sampled_from(["data/train/2.txt", "data/train/4.txt", "data/test/1.png", "backup"])),
)
def test_whatever_is_wrong_is_said_and_nothing_mechanical_is_left_after_fix(
    breaks: list[tuple[str, Break]], gone: set[str], clean: Path
) -> None:
    with TemporaryDirectory() as place:
        tree = Path(place, "tree")
        shutil.copytree(clean, tree)
        (tree / "data/negatives.txt").write_text("data/train/4.png\n")
        for path in gone:
            (tree / path).rmdir() if path == "backup" else (tree / path).unlink()
        for path, change in breaks:
            old = (tree / path).read_bytes() if (tree / path).exists() else b"\0" * 30
            (tree / path).write_bytes(change(old))
        mendings = plan_mending(tree, check(Wishes(tree)).findings)
        mend(tree, mendings)
        left = check(Wishes(tree)).findings
        assert [one for one in left if one.mendable] == []


def test_help_has_examples_and_what_the_exit_status_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--help"]) == 0
    said = capsys.readouterr().out
    assert "\n  trainer check  " in said
    assert "Exit status: 0 " in said

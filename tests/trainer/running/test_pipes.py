from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainer.running.pipes import LINE_CHARS, LineSplitter, RotatedLog

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_is_rotated_and_continued(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    for data in (b"aaaa", b"bbbb", b"cccc", b"dd"):
        with RotatedLog(path, limit_bytes=8) as log:
            log.write(data)
    assert path.read_bytes() == b"ccccdd"
    assert path.with_name("log.1").read_bytes() == b"aaaabbbb"
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        pytest.param([b"one\ntw", b"o\n"], ["one", "two"], id="a line in two pieces"),
        pytest.param([b"4\r8\r12\n"], ["4", "8", "12"], id="a counter rewrites its line"),
        pytest.param([b"\xc3", b"\xa9\n"], ["\u00e9"], id="a letter in two pieces"),
        pytest.param([b"\xff\n"], ["\ufffd"], id="no valid text"),
        pytest.param([b"\n\n\r\n"], [], id="blank ones"),
        pytest.param([b"last"], ["last"], id="an end that never came"),
        pytest.param([b"x" * (LINE_CHARS + 1)], ["x" * LINE_CHARS], id="an endless one"),
    ],
)
def test_bytes_become_lines(pieces: list[bytes], lines: list[str]) -> None:
    splitter = LineSplitter()
    assert [line for piece in pieces for line in splitter.feed(piece)] + splitter.end() == lines

"""A diff of what mending changes: right, readable, and as fast as the text is long."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from trainer.checking.diff import unified_diff

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        pytest.param(b"a\nb\n", b"a\nb\n", "", id="nothing"),
        pytest.param(b"a\r\n", b"a\n", "@@ -1,1 +1,1 @@\n-a\\r\n+a\n", id="line end"),
        pytest.param(b"a\r", b"a\n", "@@ -1,1 +1,1 @@\n-a\\r\n+a\n", id="line end of an old Macintosh"),
        pytest.param(b" a \n", b"a\n", "@@ -1,1 +1,1 @@\n-\\x20a\\x20\n+a\n", id="spaces"),
        pytest.param(b"\xef\xbb\xbfa\n", b"a\n", "@@ -1,1 +1,1 @@\n-\\ufeffa\n+a\n", id="mark"),
        pytest.param(
            b"1\n2\n3\n4\n\n5\n6\n7\n8\n",
            b"1\n2\n3\n4\n5\n6\n7\n8\n",
            "@@ -2,7 +2,6 @@\n 2\n 3\n 4\n-\n 5\n 6\n 7\n",
            id="a line dropped, with context",
        ),
        pytest.param(
            b"a\nb\na",
            b"a\nb\n",
            "@@ -1,3 +1,2 @@\n a\n b\n-a\n\\ No newline at end of file\n",
            id="the last line dropped",
        ),
        pytest.param(b"\n", b"", "@@ -1,1 +0,0 @@\n-\n", id="all dropped"),
        pytest.param(b"a\n", b"a\nb\n", "@@ -1,1 +1,2 @@\n a\n+b\n", id="a line more"),
    ],
)
def test_diff(before: bytes, after: bytes, diff: str) -> None:
    assert unified_diff(before, after) == diff


def test_git_can_apply_it(tmp_path: Path) -> None:
    lines = [f"{number}\n" for number in range(60)]
    before = "".join(lines)
    after = "".join(line for number, line in enumerate(lines) if number not in (0, 5, 30, 31, 59))
    file = tmp_path / "list"
    file.write_text(before)
    diff = f"--- list\n+++ list\n{unified_diff(before.encode(), after.encode())}"
    subprocess.run(["git", "apply", "-p0"], cwd=tmp_path, input=diff, text=True, check=True)
    assert file.read_text() == after


def test_a_long_list_is_clipped() -> None:
    # Every other line of 50,000 is dropped: difflib takes minutes for it, more than a test has.
    before = "".join(f"{number}.png\n{number}.png\n" for number in range(25_000)).encode()
    after = "".join(f"{number}.png\n" for number in range(25_000)).encode()
    diff = unified_diff(before, after)
    assert diff.count("\n") < 120
    assert re.search(r"\.\.\. and 49,900 further lines\n$", diff)

"""Each way in which a list of images can be wrong, with its line."""

from __future__ import annotations

import pytest

from trainer.checking.findings import Severity
from trainer.checking.lists import (
    Listed,
    check_both,
    check_list,
    drop_blank_lines,
    drop_repeated_lines,
    read_list,
    strip_lines,
    turn_backslashes,
)
from trainer.darknet.program import Flavour

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK


@pytest.mark.parametrize(
    ("raw", "flavour", "found"),
    [
        pytest.param(b"a.png\nb.png\n", PJ, [], id="clean"),
        pytest.param(b"a.png\nb.png", PJ, [], id="no end of the last line"),
        pytest.param(b"a.png\r\nb.png\r\n", PJ, [], id="line ends are told by files"),
        pytest.param(b"\xef\xbb\xbfa.png\n", PJ, [], id="so is a mark at the beginning"),
        pytest.param("a.png\n".encode("utf-16"), PJ, [], id="so is UTF-16"),
        pytest.param("bilder/größe (1).png\n".encode(), AX, [], id="letters of any language, brackets"),
        pytest.param(b"b\xfc.png\n", AX, [], id="Latin-1"),
        pytest.param(b"", AX, [("list-empty", None)], id="empty"),
        pytest.param(
            b"\n \n",
            AX,
            [("list-blank-line", 1), ("list-blank-line", 2), ("list-empty", None)],
            id="blank lines alone",
        ),
        pytest.param(b"a.png\n\nb.png\n", PJ, [("list-blank-line", 2)], id="blank line"),
        pytest.param(b"a.png\nb.png\n\n", PJ, [("list-blank-line", 3)], id="blank line at the end"),
        pytest.param(b"a.png\nb.png \n", AX, [("list-space", 2)], id="trailing space"),
        pytest.param(b"a.png\nb.png\t\r\n", AX, [("list-space", 2)], id="trailing tab before CRLF"),
        pytest.param(b" a.png\n", AX, [("list-space", 1)], id="leading space"),
        pytest.param(b"a.png\n\xef\xbb\xbfb.png\n", AX, [("list-space", 2)], id="mark in the midst"),
        pytest.param(b"data\\a.png\n", AX, [("list-backslash", 1)], id="backslash"),
        pytest.param(b"a.png\nb.png\na.png\n", AX, [("list-duplicate", 3)], id="twice"),
        pytest.param(b"x/a.png\n./x//a.png\n", AX, [("list-duplicate", 2)], id="twice, written otherwise"),
        pytest.param(b"x/a.png\nx\\a.png\n", AX, [("list-backslash", 2), ("list-duplicate", 2)], id="both"),
        pytest.param(b"a.png\nb.png\ra.png\n", AX, [("list-duplicate", 2)], id="two in a line, by a lone CR"),
        pytest.param(b"a.png\na;reboot.png\n", AX, [("list-shell", 2)], id="semicolon"),
        pytest.param(b"$(reboot).png\n", PJ, [("list-shell", 1)], id="command substitution"),
        pytest.param(b"a`b`.png\n", PJ, [("list-shell", 1)], id="backticks"),
        pytest.param(b"a|b&c>d.png\n", PJ, [("list-shell", 1)], id="pipe and more"),
        pytest.param(b"a;b.png\n", HK, [], id="hank-ai's asks no shell"),
        pytest.param(b"a/" * 2001 + b".png\n", AX, [("list-long-line", 1)], id="too long"),
    ],
)
def test_lines(raw: bytes, flavour: Flavour, found: list[tuple[str, int | None]]) -> None:
    findings = list(check_list("data/train.txt", raw, flavour))
    assert [(one.code, one.line) for one in findings] == found
    assert {one.path for one in findings} <= {"data/train.txt"}


def test_what_is_found_can_be_printed() -> None:
    (finding,) = check_list("data/train.txt", b"\x1b[2J;\xff.png\n", AX)
    assert finding.what.isprintable()


def test_images_as_they_are_meant() -> None:
    raw = b"\xef\xbb\xbf a.png \r\n\n b\\c.png\rd.png"
    assert read_list(raw) == (Listed(1, "a.png"), Listed(3, "b/c.png"), Listed(3, "d.png"))


def test_images_in_both_lists() -> None:
    findings = list(
        check_both("data/train.txt", read_list(b"a\nb\nb\n"), "data/test.txt", read_list(b"c\n./b\n"))
    )
    assert [(one.code, one.severity, one.path, one.line) for one in findings] == [
        ("image-in-both-lists", Severity.WARNING, "data/test.txt", 2)
    ]
    assert "data/train.txt, too, line 2" in findings[0].what


def test_one_list_for_both() -> None:
    images = read_list(b"a\nb\n")
    (finding,) = check_both("data/train.txt", images, "./data/train.txt", images)
    assert (finding.code, finding.severity, finding.line) == ("valid-is-train", Severity.WARNING, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a\nb\na\n", "a\nb\n", id="the first one stays"),
        pytest.param("a\nb\n./a", "a\nb\n", id="the last one, without line end"),
        pytest.param("a\n\n\nb", "a\n\n\nb", id="blank lines are another matter"),
    ],
)
def test_drop_repeated_lines(before: str, after: str) -> None:
    assert drop_repeated_lines(before) == after


def test_drop_blank_lines() -> None:
    assert drop_blank_lines("\na\n \t\nb\n\n") == "a\nb\n"


def test_strip_lines() -> None:
    assert strip_lines(" a \n\ufeffb\t\nc d") == "a\nb\nc d"


def test_turn_backslashes() -> None:
    assert turn_backslashes("a\\b\nc/d") == "a/b\nc/d"

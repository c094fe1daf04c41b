"""What a transcript says is read line by line; what no transcript may say is refused with its line."""

from __future__ import annotations

import pytest

from trainer.testing.transcript import (
    TRANSCRIPTS,
    Step,
    When,
    expand,
    parse_transcript,
    read_transcript,
    to_bytes,
)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        pytest.param("# nothing\n\n", (), id="comments and blank lines"),
        pytest.param("out  1: 2.0", (Step("out", text=" 1: 2.0"),), id="a text keeps its first spaces"),
        pytest.param("out", (Step("out"),), id="an empty line of output"),
        pytest.param("raw err \\r12", (Step("raw", ("err",), "\\r12"),), id="without a newline"),
        pytest.param(
            "save remote_last.weights 100 torn",
            (Step("save", ("remote_last.weights", "100", "torn")),),
            id="save",
        ),
        pytest.param(
            "when before 100\nhang\nalways\nexit 3",
            (Step("hang", when=When(before=100)), Step("exit", ("3",))),
            id="conditions last up to the next",
        ),
        pytest.param("when attempt 2+\nhang", (Step("hang", when=When(first=2)),), id="from an attempt on"),
        pytest.param("when attempt 2\nhang", (Step("hang", when=When(first=2, last=2)),), id="one attempt"),
        pytest.param(
            "each\n out {i}\nend\ntrain 3",
            (Step("each", body=(Step("out", text="{i}"),)), Step("train", ("3",))),
            id="each",
        ),
    ],
)
def test_lines(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_transcript(text) == steps


@pytest.mark.parametrize(
    "line", ["dance", "exit", "exit 1 2", "save x", "raw aside x", "when asked", "when before 1 2"]
)
def test_lines_that_are_none(line: str) -> None:
    with pytest.raises(ValueError, match=f"line 2 of the transcript is none: {line}|when asked says nothing"):
        parse_transcript(f"out 1\n{line}\n")


@pytest.mark.parametrize(
    ("when", "attempt", "resumed_from", "holds"),
    [
        pytest.param(When(), 7, 300, True, id="always"),
        pytest.param(When(before=100), 2, 99, True, id="before"),
        pytest.param(When(before=100), 2, 100, False, id="not before"),
        pytest.param(When(resumed=True), 2, 0, False, id="not resumed"),
        pytest.param(When(resumed=False), 2, 0, True, id="fresh"),
        pytest.param(When(first=2), 1, 0, False, id="not yet"),
        pytest.param(When(first=2), 3, 0, True, id="from then on"),
        pytest.param(When(first=2, last=2), 3, 0, False, id="no more"),
    ],
)
def test_conditions(when: When, attempt: int, resumed_from: int, holds: bool) -> None:  # noqa: FBT001 - a table's column
    assert when.holds(attempt, resumed_from) is holds


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param(r"\e[H\a", b"\x1b[H\x07", id="escape codes"),
        pytest.param(r"\r12\s\\n", b"\r12 \\n", id="spaces and backslashes"),
        pytest.param(r"a\xffb é", b"a\xffb \xc3\xa9", id="bytes"),
    ],
)
def test_bytes(text: str, content: bytes) -> None:
    assert to_bytes(text) == content


def test_what_is_included_takes_its_place() -> None:
    assert expand("out 1\ninclude a.txt\nout 3", {"a.txt": "out 2\n"}.__getitem__) == "out 1\nout 2\nout 3\n"


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(TRANSCRIPTS)) for path in TRANSCRIPTS.rglob("*.txt"))
)
def test_the_packages_own_are_transcripts(name: str) -> None:
    assert parse_transcript(read_transcript(name))

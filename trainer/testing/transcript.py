r"""What a stand-in for darknet does, as text: a transcript.

    # a comment
    include ax/start.txt            another transcript takes this line's place
    out TEXT, err TEXT              a line on that stream
    raw out TEXT, raw err TEXT      the same without a newline
    wait SECONDS
    each                            what the lines up to ``end`` do is done at each iteration
    end
    train N                         goes on to iteration N, from the one after that in the weights file it was given
    save NAME N                     writes backup/NAME as of iteration N, whole
    save NAME N torn                half of it; also ``empty``, ``nan`` (each number is none), ``wild`` (its header)
    when before N                   what follows is done only if it began before iteration N was saved,
    when resumed, when fresh        ... if it was given a weights file that can be loaded, or was not,
    when attempt N, when attempt N+ ... the N-th time that it is started, from 1, or from then on;
    always                          and so on up to here
    flood LINES_PER_S LINES         so many lines of no interest on stderr; a rate of 0 is as fast as they go
    ignore SIGNAL                   SIGTERM, say
    fork                            leaves a child that holds the pipes open, in its process group,
    fork away                       ... or in a session of its own
    hang                            does nothing any more
    exit STATUS
    signal NUMBER                   ends of that signal

Space at a line's ends means nothing. It ends with status 0 where a transcript does not say how. In TEXT ``\e`` is the
escape character, ``\a`` ``\n`` ``\r`` ``\t`` ``\\`` are what they are in Python, ``\xNN`` is a byte, ``\s`` a space
that would otherwise be taken away; ``{i}`` is the iteration, ``{images}`` how many images have been seen by then,
``{weights}`` the weights file that was given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRANSCRIPTS = Path(__file__).with_name("transcripts")

_WORDS = {
    **dict.fromkeys(("each", "end", "always", "hang"), (0, 0)),
    **dict.fromkeys(("wait", "train", "ignore", "exit", "signal"), (1, 1)),
    "fork": (0, 1),
    "when": (1, 2),
    "flood": (2, 2),
    "save": (2, 3),
}
"""How many words follow each verb, at least and at most; of those that take a TEXT see below."""

_ESCAPES = {"e": b"\x1b", "a": b"\a", "n": b"\n", "r": b"\r", "t": b"\t", "s": b" ", "\\": b"\\"}
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class When:
    """On which attempts a step is done; None and False ask for nothing.

    Attributes:
        before: that began from a checkpoint below this iteration.
        resumed: that began from a checkpoint, or that did not.
        first, last: the first and the last of them, counted from 1.
    """

    before: int | None = None
    resumed: bool | None = None
    first: int = 1
    last: int | None = None

    def holds(self, attempt: int, resumed_from: int) -> bool:
        """Whether a step is done on this attempt, which began from a checkpoint of ``resumed_from``, 0 for none."""
        return (
            (self.before is None or resumed_from < self.before)
            and (self.resumed is None or self.resumed == (resumed_from > 0))
            and self.first <= attempt
            and (self.last is None or attempt <= self.last)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One line: its verb and what follows; ``body`` is what an ``each`` holds."""

    verb: str
    words: tuple[str, ...] = ()
    text: str = ""
    when: When = When()
    body: tuple[Step, ...] = ()


def read_transcript(name: str) -> str:
    """A transcript of the package's with those that it includes in their places, as text.

    Args:
        name: of the file, relative to ``TRANSCRIPTS``.
    """
    return expand((TRANSCRIPTS / name).read_text("utf-8"), read_transcript)


def expand(text: str, read: Callable[[str], str]) -> str:
    """``text`` with the transcripts that it includes in their places, as ``read`` gives them."""
    lines = (
        read(line.split()[1]).rstrip("\n") if line.startswith("include ") else line
        for line in text.splitlines()
    )
    return "\n".join(lines) + "\n"


def parse_transcript(text: str) -> tuple[Step, ...]:
    """Read a transcript that includes no other.

    Raises:
        ValueError: a line is none that a transcript may have; the message says which.
    """
    steps: list[Step] = []
    body: list[Step] | None = None
    when = When()
    for step in _read_lines(text):
        if step.verb == "when":
            when = _parse_when(step.words)
        elif step.verb == "always":
            when = When()
        elif step.verb == "each":
            body = []
        elif step.verb == "end":
            steps.append(Step("each", body=tuple(body or ())))
            body = None
        else:
            (steps if body is None else body).append(replace(step, when=when))
    return tuple(steps)


def to_bytes(text: str) -> bytes:
    """The bytes that a TEXT stands for."""

    def escape(match: re.Match[bytes]) -> bytes:
        given = match[1].decode("latin-1")
        return bytes([int(given[1:], 16)]) if given[0] == "x" else _ESCAPES[given]

    return _ESCAPE.sub(escape, text.encode())


def _read_lines(text: str) -> Iterator[Step]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        verb, _, rest = line.partition(" ")
        words = tuple(rest.split())
        least, most = _WORDS.get(verb, (0, -1))
        if verb in {"out", "err"}:
            yield Step(verb, (), rest)
        elif verb == "raw" and words and words[0] in {"out", "err"}:
            yield Step(verb, words[:1], rest.partition(" ")[2])
        elif least <= len(words) <= most:
            yield Step(verb, words)
        else:
            raise ValueError(f"line {number} of the transcript is none: {line}")


def _parse_when(words: tuple[str, ...]) -> When:
    match words:
        case ("fresh",):
            return When(resumed=False)
        case ("resumed",):
            return When(resumed=True)
        case ("before", iteration):
            return When(before=int(iteration))
        case ("attempt", number):
            first = int(number.removesuffix("+"))
            return When(first=first, last=None if number.endswith("+") else first)
    raise ValueError(f"when {' '.join(words)} says nothing")

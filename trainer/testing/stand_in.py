"""A program that does as a transcript says, in darknet's place: through the same pipes, with files of the same form.

``install`` lays three files into a tree::

    darknet               executable; told apart by its bytes as the darknet it stands in for
    darknet.transcript    what it does, see ``trainer.testing.transcript``
    darknet.attempts      a byte for each time that it was started

and, where it forks, the child leaves its pid in ``darknet.child``.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.darknet.cfg import parse_cfg
from trainer.darknet.data import parse_data
from trainer.darknet.program import Flavour, flavour_of
from trainer.darknet.size import FLOAT_BYTES, HEADER_BYTES, weight_count
from trainer.darknet.weights import HeaderError, parse_header
from trainer.errors import TreeError
from trainer.testing.transcript import Step, parse_transcript, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trainer.darknet.cfg import Network

_MARKERS = {
    Flavour.PJ: "%d: %f, %f avg, %f rate, %lf seconds, %d images",
    Flavour.AX: "%d: %f, %f avg loss, %f rate, %lf seconds, %d images, %f hours left",
    Flavour.HK: " images, time remaining=",
}
"""What the executable of each holds, and the stand-in's own bytes therefore."""

_SCRIPT = """\
#!{python}
# {marker}
from trainer.testing.stand_in import play

play(__file__)
"""

_HEADER = struct.Struct("<iiiQ")
_NUMBER = struct.pack("<f", 0.0625)
_NO_NUMBER = struct.pack("<f", float("nan"))
_WILD_SEEN = 1 << 62
_STREAMS = {"out": 1, "err": 2}
_CHILD_LIVES_S = 120
_NOISE = (
    b"v3 (iou loss, Normalizer: (iou: 0.07, obj: 1.00, cls: 1.00) Region 4 Avg (IOU: 0.271902), count: 4, "
    b"class_loss = 5.132713, iou_loss = 0.126701, total_loss = 5.259414 \n"
)


def install(tree: Path, flavour: Flavour, transcript: str) -> Path:
    """Put a stand-in where a supervisor looks for the tree's own darknet; returns the program.

    Args:
        tree: the tree's root.
        flavour: which darknet it passes for.
        transcript: as text, with what it includes in place.

    Raises:
        ValueError: the transcript is none.
    """
    parse_transcript(transcript)
    program = tree / "darknet"
    program.write_text(_SCRIPT.format(python=sys.executable, marker=_MARKERS[flavour]))
    program.chmod(0o755)
    program.with_suffix(".transcript").write_text(transcript)
    program.with_suffix(".attempts").write_bytes(b"")
    return program


def write_weights(
    path: Path, network: Network, iteration: int, *, flavour: Flavour = Flavour.AX, harm: str = ""
) -> None:
    """Write a weights file in place, as darknet does.

    Args:
        path: of the file.
        network: that it fits.
        iteration: that its header tells of.
        flavour: of the darknet that is to have written it.
        harm: "torn" for half of it, "empty", "nan" for numbers that are none, "wild" for a header of no sense.

    Raises:
        OSError: the directory or the disk does not take it.
    """
    count = weight_count(network, flavour=flavour)
    seen = _WILD_SEEN if harm == "wild" else iteration * network.images_per_iteration
    header = _HEADER.pack(0, 2, 0 if flavour is Flavour.PJ else 5, seen)
    content = header + (_NO_NUMBER if harm == "nan" else _NUMBER) * count
    kept = {"torn": len(header) + count // 2 * FLOAT_BYTES, "empty": 0}.get(harm, len(content))
    with path.open("wb", buffering=0) as file:
        file.write(content[:kept])


def play(program: str) -> None:
    """Do what the transcript beside ``program`` says; ``sys.argv`` holds darknet's arguments. Never returns."""
    path = Path(program)
    with path.with_suffix(".attempts").open("ab") as file:
        file.write(b".")
    attempt = path.with_suffix(".attempts").stat().st_size
    # As in a program written in C: with nobody left to read it, it ends; and no core file is left of it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    steps = parse_transcript(path.with_suffix(".transcript").read_text())
    StandIn(path, sys.argv[1:], attempt).do(steps)
    os._exit(0)


class StandIn:
    """One run of the program.

    Args:
        program: its path, absolute or relative to the working directory, which is the tree.
        arguments: ``detector train DATA CFG [WEIGHTS] [FLAG ...]``.
        attempt: which run this is, from 1.
    """

    def __init__(self, program: Path, arguments: Sequence[str], attempt: int) -> None:
        self._program = program
        self._data, self._cfg = arguments[2:4]
        self._weights = next((word for word in arguments[4:5] if not word.startswith("-")), "")
        self._resumed_from = 0 if "-clear" in arguments else self._read_iteration()
        self._attempt = attempt
        self._iteration = self._resumed_from
        self._each: tuple[Step, ...] = ()

    def do(self, steps: Iterable[Step]) -> None:
        """Do one step after the other; some have no return."""
        for step in steps:
            if step.when.holds(self._attempt, self._resumed_from):
                self._do(step)

    def _do(self, step: Step) -> None:
        match step.verb, step.words:
            case ("out" | "err") as stream, _:
                _write(_STREAMS[stream], self._fill(step.text) + b"\n")
            case "raw", (stream,):
                _write(_STREAMS[stream], self._fill(step.text))
            case "wait", (seconds,):
                time.sleep(float(seconds))
            case "each", _:
                self._each = step.body
            case "train", (last,):
                self._train(int(last))
            case "save", (name, iteration, *harm):
                self._save(name, int(iteration), *harm)
            case "flood", (rate, lines):
                _flood(float(rate), int(lines))
            case "ignore", (name,):
                signal.signal(signal.Signals[name], signal.SIG_IGN)
            case "fork", where:
                self._fork(away=bool(where))
            case _:
                _end(step)

    def _train(self, last: int) -> None:
        while self._iteration < last:
            self._iteration += 1
            self.do(self._each)

    def _fill(self, text: str) -> bytes:
        images = self._iteration * self._network.images_per_iteration if "{images}" in text else 0
        values = {"{i}": str(self._iteration), "{images}": str(images), "{weights}": self._weights}
        for name, value in values.items():
            text = text.replace(name, value)
        return to_bytes(text)

    @property
    def _network(self) -> Network:
        return parse_cfg(Path(self._cfg).read_text(), self._cfg)

    def _read_iteration(self) -> int:
        """How far the weights file is that was given, by its header and no more, as darknet looks at it; 0 for none."""
        try:
            with Path(self._weights).open("rb") as file:
                seen = parse_header(file.read(HEADER_BYTES)).seen
            return seen // self._network.images_per_iteration
        except (OSError, HeaderError, TreeError):
            return 0

    def _save(self, name: str, iteration: int, harm: str = "") -> None:
        backup = Path(parse_data(Path(self._data).read_text(), self._data).backup)
        flavour = flavour_of(self._program.read_bytes()) or Flavour.AX
        # Of a disk that is full darknet says nothing, and goes on.
        with contextlib.suppress(OSError):
            write_weights(backup / name, self._network, iteration, flavour=flavour, harm=harm)

    def _fork(self, *, away: bool) -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if child:
            os.close(writing)
            os.read(reading, 1)  # until it is where it is to be
            self._program.with_suffix(".child").write_text(str(child))
            return
        if away:
            os.setsid()
        # A test that forgets it is not to be outlived by it.
        signal.alarm(_CHILD_LIVES_S)
        os.close(writing)
        _pause()


def _end(step: Step) -> None:
    match step.verb, step.words:
        case "hang", _:
            _pause()
        case "exit", (status,):
            os._exit(int(status))
        case "signal", (number,):
            with contextlib.suppress(OSError):  # SIGKILL has no handler to reset
                signal.signal(int(number), signal.SIG_DFL)
            os.kill(os.getpid(), int(number))
            _pause()
        case _:
            raise ValueError(f"{step.verb} {' '.join(step.words)} is nothing to be done")


def _pause() -> None:
    while True:
        signal.pause()


def _flood(lines_per_s: float, lines: int) -> None:
    """Write in pieces of a hundredth of a second's lines each, as a darknet that prints line by line would."""
    began_s = time.monotonic()
    piece = max(1, round(lines_per_s / 100)) if lines_per_s else 1000
    for done in range(0, lines, piece):
        if lines_per_s:
            time.sleep(max(0.0, began_s + done / lines_per_s - time.monotonic()))
        _write(2, _NOISE * min(piece, lines - done))


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]

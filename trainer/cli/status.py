"""``status``: how a run stands, now or until its end."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import click

from drivesync.cli.arguments import AS_JSON, TREE
from drivesync.cli.running import interruptible
from drivesync.progress import is_screen, printable
from trainer.cli.arguments import find_tree
from trainer.cli.words import COLOURS, card_now, existing_status, print_status
from trainer.seeing.text import to_lines, to_spans
from trainer.status import AWAY, DEAD, ENDED, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from rich.live import Live

    from trainer.seeing.card import Card
    from trainer.status import Status

LOOK_EVERY_S = 2.0
"""How often a watched status is read, and drawn where there is a screen."""

NEWS_EVERY_S = 5.0
"""How soon after a line another one may follow, where there is none."""

PROGRESS_EVERY_S = 60.0
"""How soon a line may follow that tells of nothing but further iterations."""

_AWAITED = frozenset({"time left", "avg loss", "mAP"})
"""The rows that tell how it goes on."""


@click.command("status", short_help="How the training stands.")
@TREE
@AS_JSON
@click.option("--watch", is_flag=True, help="Go on showing it until the training has ended.")
def status_command(tree: Path | None, *, as_json: bool, watch: bool) -> None:
    """Say how the training in TREE stands: what is safe first, and how it came there over all sessions last.

    --watch draws it anew every 2 s on a terminal; in a notebook's cell, or in a pipe, it adds a line where something
    has changed, a few seconds apart at least. It ends with the training, or by Ctrl-C, which does the training no harm.

    \b
    trainer status
    trainer status --watch
    trainer status --json mytree            one JSON object; with --watch one to a line

    A tree that has come from elsewhere, and in which no session has begun, tells what its own files know.

    Exit status: 0 shown, whatever became of the training; 64 called wrongly; 65 what was left of it cannot be read; 66
    nothing was ever trained there.
    """
    place = find_tree(tree)
    if not watch:
        status = existing_status(place)
        if as_json:
            _print_object(status)
        else:
            print_status(status)
        return
    with suppress(KeyboardInterrupt), interruptible(), ExitStack() as stack:
        display: Display = Objects() if as_json else Lines()
        if not as_json and is_screen(sys.stdout):
            display = stack.enter_context(Screen())
        _watch(lambda: existing_status(place), display)


def _watch(read: Callable[[], Status], display: Display) -> None:
    """Show what is read, until the run has ended."""
    while True:
        status = read()
        over = status.state in {*ENDED, DEAD, AWAY}
        display.show(status, last=over)
        if over:
            return
        time.sleep(LOOK_EVERY_S)


class Display(Protocol):
    """Where a watched status appears."""

    def show(self, status: Status, *, last: bool) -> None:
        """Show it; ``last`` says that no other follows."""


class Screen:
    """A terminal, drawn over."""

    def __init__(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - slow to import, and of no use in a cell

        self._live: Live = Live(auto_refresh=False)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, status: Status, *, last: bool) -> None:  # noqa: ARG002 - it stays as it was drawn last
        """Draw it in the place of the one before."""
        from rich.text import Text  # noqa: PLC0415 - as above

        text = Text()
        for line in to_spans(card_now(status)):
            for span in line:
                text.append(
                    span.text, " ".join(filter(None, (COLOURS[span.tone], "bold" if span.strong else "")))
                )
            text.append("\n")
        text.rstrip()
        self._live.update(text, refresh=True)


class Objects:
    """One JSON object to a line, for each change."""

    def __init__(self) -> None:
        self._shown: Status | None = None

    def show(self, status: Status, *, last: bool) -> None:  # noqa: ARG002 - the state says it
        """Print it if it is another one."""
        if status != self._shown:
            self._shown = status
            _print_object(status)


def _print_object(status: Status) -> None:
    """The status, and the card in which it is put."""
    click.echo(json.dumps(to_json(status) | {"card": asdict(card_now(status))}))


class Lines:
    """A notebook's cell, or a pipe: what is printed stays, so there is little of it.

    All of the card at first and at the end; between them a line now and then, of those parts that have changed and
    that people wait for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: list[str] = []
        self._news: tuple[object, ...] = ()
        self._at_s = 0.0

    def show(self, status: Status, *, last: bool) -> None:
        """Print what is new, if it is time."""
        now_s, card = self._clock(), card_now(status)
        parts, news = _parts(card), _news(status)
        if not self._parts or (last and parts != self._parts):
            click.echo("\n".join(to_lines(card)))
        else:
            wait_s = PROGRESS_EVERY_S if news == self._news else NEWS_EVERY_S
            changed = [part for part in parts if part not in self._parts]
            if not changed or now_s < self._at_s + wait_s:
                return
            click.echo(printable(f"{time.strftime('%H:%M:%S')} {'; '.join(changed)}"))
        self._parts, self._news, self._at_s = parts, news, now_s


def _parts(card: Card) -> list[str]:
    """What of a card people wait for."""
    facts = [f"{row.label} {row.text}" for row in card.rows if row.label in _AWAITED]
    return [card.standing, card.headline, *facts, *(notice.text for notice in card.notices)]


def _news(status: Status) -> tuple[object, ...]:
    """What of a status is worth a line of its own: all but that it goes on."""
    return status.state, status.safe_iteration, status.attempts, status.trouble, status.message

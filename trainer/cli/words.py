"""How a run's standing is put where a command prints it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from drivesync.errors import NotFoundError
from trainer.seeing.card import make_card
from trainer.seeing.text import to_spans
from trainer.status import read_status

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.seeing.card import Card, Tone
    from trainer.status import Status

COLOURS: dict[Tone, str | None] = {
    "good": "green",
    "waiting": "yellow",
    "trouble": "red",
    "over": "blue",
    "plain": None,
}
"""As click and rich know them."""


def existing_status(tree: Path) -> Status:
    """How the run in ``tree`` stands; where no session has begun there, as far as its files tell.

    Raises:
        NotFoundError: there never was one.
        DamagedError: what a session has left of it cannot be read.
    """
    status = read_status(tree)
    if status is None:
        from trainer.recall import recall_status  # noqa: PLC0415 - it takes half a second, and is mostly not needed

        status = recall_status(tree)
    if status is None:
        raise NotFoundError(f"nothing has been trained in {tree}", hint="Start it with `trainer run`.")
    return status


def card_now(status: Status) -> Card:
    """The card as of now, for this machine's time zone."""
    now = datetime.now(timezone.utc).astimezone()
    return make_card(status, now.timestamp(), zone=now.tzinfo or timezone.utc)


def print_status(status: Status) -> None:
    """Print the card: in colours on a terminal, or in a notebook's cell, which passes for one."""
    for line in to_spans(card_now(status)):
        click.echo(
            "".join(click.style(span.text, COLOURS[span.tone], bold=span.strong or None) for span in line)
        )

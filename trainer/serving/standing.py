"""What the page shows of a tree: how its run stands, as HTML, and its curve; read from files alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from trainer.config import trained_backup
from trainer.curves.metrics import METRICS_NAME
from trainer.place import find_training_place
from trainer.recall import Recollection
from trainer.seeing.card import make_card
from trainer.seeing.html import to_html
from trainer.serving.following import Following
from trainer.status import read_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from pathlib import Path

    from trainer.status import Status

_AGE_EVERY_S = 5.0
"""How often a card is made anew of which only the ages have changed: "pushed 40 s ago"."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown: a title, and a piece of HTML."""

    title: str
    html: str


class Standing:
    """How the run of a tree stands, as of the last ``look``; used by one thread at a time.

    Args:
        tree: as the user named it. One on a mount is trained in a copy, which is looked for until it is there.
        clock: seconds since 1970.
    """

    def __init__(self, tree: Path, clock: Callable[[], float] = time.time) -> None:
        self._named = tree
        self._clock = clock
        self._tree = find_training_place(tree)
        self._status: Status | None = None
        self._trouble = ""
        self._is_there = False
        self._recollection = Recollection()
        self._shown_s = 0.0
        self._views: dict[tzinfo, View] = {}
        self._metrics = trained_backup(self._tree) / METRICS_NAME
        self.curve = Following(self._metrics)

    def look(self) -> None:
        """Read what has changed."""
        status, trouble = self._read()
        is_there = self._tree.is_dir()
        now_s = self._clock()
        # Either way: the clock of a new machine is set while we run.
        is_old = abs(now_s - self._shown_s) >= _AGE_EVERY_S
        if is_old or (status, trouble, is_there) != (self._status, self._trouble, self._is_there):
            self._status, self._trouble, self._is_there, self._shown_s = status, trouble, is_there, now_s
            self._views.clear()
        metrics = trained_backup(self._tree) / METRICS_NAME
        if metrics != self._metrics:
            self._metrics, self.curve = metrics, Following(metrics)
        self.curve.look()

    def _read(self) -> tuple[Status | None, str]:
        """The status, and why there is none if that is no matter of course."""
        try:
            status = read_status(self._tree)
            if status is None:
                self._tree = find_training_place(self._named)
                status = read_status(self._tree) or self._recollection.look(self._tree)
        except DrivesyncError as error:
            return None, str(error)
        except OSError as error:
            return None, error.strerror or type(error).__name__
        return status, ""

    def view(self, zone: tzinfo) -> View:
        """The card, with times of day for ``zone``; or why there is none."""
        if (view := self._views.get(zone)) is None:
            view = self._views[zone] = self._view(zone)
        return view

    def _view(self, zone: tzinfo) -> View:
        if self._status is not None:
            card = make_card(self._status, self._shown_s, zone=zone)
            return View(card.headline, to_html(card))
        if self._trouble:
            said = f"How the training in {self._tree} stands cannot be read: {self._trouble}."
            remedy = "When it can, this page will show it."
        elif self._is_there:
            said = f"No training has begun in {self._tree} on this machine."
            remedy = "Start it with <code>trainer run</code>: this page will show it."
        else:
            said = f"There is no {self._tree}."
            remedy = "When it is there, this page will show how it stands."
        return View(said, f'<p class="nothing"><strong>{escape(said)}</strong><br>{remedy}</p>')

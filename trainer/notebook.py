"""The view in a notebook's cell: a run's card with its chart, drawn over in place until the run has ended.

    from trainer.notebook import show
    show()

All that is shown is read from the tree, each time anew, and the training knows nothing of who looks: a cell that was
stopped, a kernel that was restarted and a browser that was closed lose nothing, and the same cell shows it again. It
stays in the foreground, since Colab may take a machine for idle where no cell runs.

The cell's output is one display whose content is replaced, so a notebook that is saved holds the last card alone. Each
replacement travels to the browser whole, though, which is why the chart in it is a small copy of ``backup/chart.png``.
"""

from __future__ import annotations

import io
import math
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from PIL import Image

from drivesync.config import default_tree
from drivesync.errors import DamagedError, NotFoundError, UsageError
from trainer.config import trained_backup
from trainer.curves.metrics import CHART_NAME
from trainer.place import find_training_place
from trainer.recall import Recollection
from trainer.seeing.card import Card, Notice, make_card
from trainer.seeing.html import to_html
from trainer.seeing.text import to_lines
from trainer.status import DEAD, ENDED, read_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.status import Status

EVERY_S = 3.0
"""How often the card is drawn, if anything in it has changed."""

CHART_EVERY_S = 60.0
"""How often the chart in it is a new one, at most."""

_SHORTEST_S = 0.5
_WIDTH_PX = 680
"""Of the card, on a screen that is wider; the chart is as wide as the room in it, so that it is not blown up."""

_STYLE = (
    ".tc-cell .tc dt,.tc-cell .tc dd{float:none;width:auto}"
    ".tc-cell .tc ul.life{padding-left:0;list-style:none}"
)
"""Takes back what Jupyter's own style does to lists in outputs: it floats their parts, and indents them."""

_CHART_PX = (640, 800)
_CHART_COLOURS = 32
_CHART_LIMIT_BYTES = 96 << 10
"""Base64 makes a third more of it, and a saved cell is to stay under 200 KB whatever lies in the tree."""


def show(
    tree: Path | str | None = None,
    *,
    every_s: float = EVERY_S,
    zone: str | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Show how the training in ``tree`` stands, in this cell, until it has ended.

    Before anything was trained there it says so, and waits. The cell's Stop ends the view and not the training.

    Args:
        tree: the darknet tree; None for ``/content/darknet`` where ``/content`` exists, else ``./darknet``.
        every_s: seconds between two looks; half a second at least.
        zone: for times of day, as in "Europe/Rome"; None for this machine's, which is UTC in Colab.
        clock: seconds since 1970.
        sleep: waits so many seconds.

    Raises:
        NotFoundError: this is no notebook.
        UsageError: there is no such zone.
    """
    view = _View(Path(tree) if tree is not None else default_tree(), _Output(), _find_zone(zone), clock)
    try:
        while not view.draw():
            sleep(max(_SHORTEST_S, every_s))
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):
            view.leave()


class _Output:
    """One display in the cell that is being run.

    Raises:
        NotFoundError: there is no cell: no IPython, or none that runs.
    """

    def __init__(self) -> None:
        try:
            from IPython import display, get_ipython  # noqa: PLC0415 - a notebook has it, and nobody else needs it
        except ImportError:
            get_ipython = None
        if get_ipython is None or get_ipython() is None:
            raise NotFoundError(
                "trainer.notebook.show() is for a notebook, and this is none",
                hint="In a terminal: trainer status --watch.",
            )
        self._display: Callable[..., Any] = display.display
        self._handle: Any = None

    def put(self, card: Card, html: str) -> None:
        """Show this in place of what was shown before; as text where no HTML can be."""
        content = {"text/html": html, "text/plain": "\n".join(to_lines(card))}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class _View:
    """What is shown of a tree; it has no memory but of what is on the screen."""

    def __init__(self, tree: Path, output: _Output, zone: tzinfo | None, clock: Callable[[], float]) -> None:
        self._tree = tree
        self._output = output
        self._zone = zone
        self._clock = clock
        self._chart = _Chart()
        self._recollection = Recollection()
        self._card: Card | None = None
        self._shown = ""
        self._is_running = False

    def draw(self) -> bool:
        """Look, and show what is new; returned is whether the run has ended, and so nothing else will be."""
        # Each time: a tree on a mount is trained in a copy that is yet to be made.
        place = find_training_place(self._tree)
        now_s = self._clock()
        try:
            status = read_status(place) or self._recollection.look(place)
        except DamagedError as error:
            self._put(_unreadable(error))
            return False
        if status is None:
            self._put(_nothing_yet(self._tree))
            return False
        has_ended = status.state in {*ENDED, DEAD}
        self._chart.look(trained_backup(place) / CHART_NAME, now_s, at_once=has_ended)
        self._put(self._make_card(status, now_s))
        self._is_running = not has_ended
        return has_ended

    def leave(self) -> None:
        """Say that the view has ended before the run; what was shown stays."""
        if self._card is not None and self._is_running:
            at = self._moment(self._clock()).strftime("%H:%M:%S")
            notice = Notice(
                f"This view was stopped at {at}; the training goes on.",
                "Run the cell again to see it.",
                "plain",
            )
            self._put(replace(self._card, notices=(*self._card.notices, notice)))

    def _put(self, card: Card) -> None:
        self._card = card
        html = (
            f'<div class="tc-cell" style="max-width:{_WIDTH_PX}px"><style>{_STYLE}</style>'
            f"{to_html(card, chart=self._chart.png)}</div>"
        )
        if html != self._shown:
            self._output.put(card, html)
            self._shown = html

    def _make_card(self, status: Status, now_s: float) -> Card:
        return make_card(status, now_s, zone=self._moment(now_s).tzinfo or timezone.utc)

    def _moment(self, unix_s: float) -> datetime:
        return datetime.fromtimestamp(unix_s, timezone.utc).astimezone(self._zone)


class _Chart:
    """A run's chart, reduced to what a phone shows of it; the last one that was whole.

    Attributes:
        png: the picture; None while there is none.
    """

    def __init__(self) -> None:
        self.png: bytes | None = None
        self._known: tuple[object, ...] = ()
        self._read_s = -math.inf

    def look(self, path: Path, now_s: float, *, at_once: bool) -> None:
        """Read the picture at ``path`` if it is another one, a minute after the one before unless ``at_once``."""
        # Either way: the clock of a new machine is set while we run.
        if abs(now_s - self._read_s) < CHART_EVERY_S and not at_once:
            return
        try:
            found = path.stat()
            known = path, found.st_ino, found.st_size, found.st_mtime_ns
            if known == self._known:
                return
            self.png = _reduce(path) or self.png
        except OSError:
            return
        self._known, self._read_s = known, now_s


def _reduce(path: Path) -> bytes | None:
    """A smaller PNG of a PNG; None if it is none that can be shown.

    Raises:
        OSError: it cannot be read.
    """
    small = io.BytesIO()
    try:
        with Image.open(path, formats=("PNG",)) as image:
            picture = image.convert("RGB")
        picture.thumbnail(_CHART_PX, Image.Resampling.LANCZOS)
        # A fifth of the room. An octree keeps the colour of a thin line, which a median would give to its neighbours.
        picture.quantize(_CHART_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            small, "PNG", optimize=True
        )
    except (SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow says of a PNG that is none
        return None
    return small.getvalue() if small.tell() <= _CHART_LIMIT_BYTES else None


def _nothing_yet(tree: Path) -> Card:
    notice = Notice(
        "It is shown here as soon as it begins.",
        "If no training has been started, stop this cell and run `trainer run --background` first.",
    )
    return _waiting_card(f"nothing has been trained in {tree} yet", "waiting for a training to begin", notice)


def _unreadable(error: DamagedError) -> Card:
    notice = Notice(f"{error}.", error.hint, "trouble")
    return _waiting_card("how the training stands cannot be read", "it is shown here when it can", notice)


def _waiting_card(headline: str, standing: str, notice: Notice) -> Card:
    return Card(
        headline=headline,
        safety=notice.tone,
        standing=standing,
        tone=notice.tone,
        progress=None,
        rows=(),
        notices=(notice,),
        life=(),
    )


def _find_zone(name: str | None) -> tzinfo | None:
    """The zone of that name; None for this machine's own."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # what ZoneInfo says of names that are none
        raise UsageError(f"there is no time zone {name!r}", hint="Name it as in Europe/Rome.") from error

"""A bar on a terminal, and lines above it. To be imported only where there is a terminal: rich is slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_BAR_COLUMNS = 60


class _Console(Console):
    """One whose reader may go away; rich would end the thread that prints, and redirect standard output."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Screen:
    """A terminal.

    Args:
        stream: leads to it.
        width: in columns; asked for unless given.
    """

    draws = True

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        self._console = _Console(file=stream, width=width, highlight=False, force_terminal=True)
        self._live: Live | None = None

    def write(self, line: str) -> None:
        """Write ``line``, above the bar if there is one.

        Raises:
            OSError: it cannot be written to.
            ValueError: it is closed.
        """
        self._console.print(line, markup=False, emoji=False, soft_wrap=True)

    def draw(self, words: Sequence[str], share: float) -> None:
        """Draw a bar of which ``share``, from 0 to 1, is full, and ``words`` below it; nothing if there are none.

        Raises:
            OSError: it cannot be written to.
            ValueError: it is closed.
        """
        picture = Table.grid()
        if any(words):
            bar = ProgressBar(total=1.0, completed=share, width=min(_BAR_COLUMNS, self._console.width))
            picture.add_row(bar)
            for line in words:
                picture.add_row(Text(line))
        if self._live is None:
            # Standard output is for results, which somebody may read while the bar is drawn.
            live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            live.start()
            self._live = live
        self._live.update(picture, refresh=True)

    def close(self) -> None:
        """Take the bar away.

        Raises:
            OSError: it cannot be written to.
            ValueError: it is closed.
        """
        if self._live is not None:
            self._live.stop()

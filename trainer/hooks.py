"""What is done for people when a run ends."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivesync.errors import RemoteError
from trainer.colab import can_unassign, unassign
from trainer.notify import Notice, Notifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from trainer.notify import NoticeEvent
    from trainer.settings import TrainerSettings
    from trainer.status import StatusWriter


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is to be done beside the training.

    Attributes:
        notify: URL that is told, by a POST, when the run has finished, was given up, has diverged or has lost its
            lease; empty for none. It is a secret: whoever has it can post there. So ``repr`` leaves it out.
        unassign: whether Colab's machine is given back after the verified end.
    """

    notify: str = field(default="", repr=False)
    unassign: bool = False

    def over(self, settings: TrainerSettings) -> Hooks:
        """These, and what the tree's settings ask for besides."""
        return Hooks(self.notify or settings.notify, self.unassign or settings.unassign)


NO_HOOKS = Hooks()
"""Nothing is done for anybody."""


class Bell:
    """Tells people of what cannot wait until they look; a context manager.

    Args:
        url: see ``Hooks``.
        tree: that is trained.
        status: of the run; a notice says how it stands.
        tell: hears what could not be delivered.
        clock: Unix time in seconds.

    Raises:
        UsageError: nothing can be posted to ``url``.
    """

    def __init__(
        self,
        url: str,
        tree: Path,
        status: StatusWriter,
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._notifier = Notifier(url, tell) if url else None
        self._tree = tree
        self._status = status
        self._clock = clock
        self._stack = ExitStack()

    def __enter__(self) -> Bell:
        if self._notifier is not None:
            self._stack.enter_context(self._notifier)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ring(self, event: NoticeEvent, message: str) -> None:
        """Have them told; returns at once."""
        if self._notifier is None:
            return
        status = self._status.value
        self._notifier.send(
            Notice(
                event,
                status.run or self._tree.name,
                self._tree.name,
                message,
                self._clock(),
                status.iteration,
                status.max_batches,
                status.safe_iteration,
            )
        )


def give_back(tell: Callable[[str], None], *, proven: bool) -> None:
    """Give Colab's machine back after a run's end, if that takes nothing with it.

    Args:
        tell: hears why not.
        proven: all of the run is safe.
    """
    if not can_unassign():
        tell("this is no machine of Colab's, so there is none to give back")
    elif not proven:
        tell("Colab's machine is kept: nothing proves that the checkpoints are on Drive")
    else:
        try:
            unassign()
        except RemoteError as error:
            tell(f"{error}. {error.hint}")

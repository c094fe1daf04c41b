"""What a run shows, kept in its metrics over all sessions, and what follows from it for its status."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError
from trainer.curves.metrics import read_metrics
from trainer.darknet.output import ClassPrecision, MapBegun, MeanAveragePrecision, Progress
from trainer.learning.outlook import Outlook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.curves.writer import MetricsWriter
    from trainer.darknet.output import Event
    from trainer.status import GpuNote


class Chronicle:
    """Hears what darknet says; used by one thread.

    Args:
        path: of the metrics.
        metrics: that writes them; entered.
        max_batches: the iterations that the run is to have.
    """

    def __init__(self, path: Path, metrics: MetricsWriter, max_batches: int) -> None:
        self._path = path
        self._metrics = metrics
        self._outlook = Outlook(max_batches)
        self._iteration: int | None = None
        self._precisions: dict[str, float] = {}
        self._has_begun = False

    def begin(self, resumed_from: int, *, why_again: str | None) -> None:
        """An attempt begins; ``why_again`` is why, if it is not the first of its session."""
        if why_again is None:
            self._metrics.resume(resumed_from + 1)
        else:
            self._metrics.resume(resumed_from + 1, kind="restarted", reason=why_again)
        self._iteration, self._precisions = resumed_from or None, {}
        maps: list[tuple[int, float]] = []
        with suppress(NotFoundError):
            known = read_metrics(self._path)
            maps = [(one.iteration, one.value) for one in known.maps]
            if not self._has_begun:
                self._outlook.recall(zip(known.iteration.tolist(), known.avg_loss.tolist(), strict=True))
        self._has_begun = True
        self._outlook.begin(resumed_from + 1, maps)

    def hear(self, event: Event, now_s: float) -> None:
        """Take in what darknet says, at ``now_s`` by a clock that is never set back."""
        if isinstance(event, Progress):
            self._iteration = event.iteration
            self._metrics.progress(
                iteration=event.iteration,
                loss=event.loss,
                avg_loss=event.avg_loss,
                rate=event.rate,
                seconds=event.seconds,
                images=event.images,
            )
            self._outlook.hear(event.iteration, event.avg_loss, now_s)
        elif isinstance(event, MapBegun):
            self._precisions = {}
        elif isinstance(event, ClassPrecision):
            self._precisions[event.name] = event.value
        elif isinstance(event, MeanAveragePrecision):
            self._metrics.event("map", iteration=self._iteration, value=event.value, classes=self._precisions)
            self._precisions = {}
            self._outlook.hear_map(event.value)

    def note_usage(self, gpus: Sequence[GpuNote]) -> None:
        """Keep what of the graphics cards is in use, of several what of all together."""
        told = [gpu.busy_percent for gpu in gpus if gpu.busy_percent is not None]
        if gpus:
            self._metrics.usage(
                used_bytes=sum(gpu.used_bytes or 0 for gpu in gpus),
                total_bytes=sum(gpu.total_bytes or 0 for gpu in gpus),
                busy_percent=sum(told) / len(told) if told else None,
            )

    def tell(self) -> dict[str, Any]:
        """The fields of a ``Status`` that follow."""
        return self._outlook.tell()

"""The card as lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.seeing.card import Card, Notice, Row, Tone

_LABEL_WIDTH = 10
_BAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a line that is of one tone, with nothing in it that moves a cursor."""

    text: str
    tone: Tone = "plain"
    strong: bool = False


def to_lines(card: Card) -> list[str]:
    """The card as plain lines, the most important one first."""
    return ["".join(span.text for span in line) for line in to_spans(card)]


def to_spans(card: Card) -> list[tuple[Span, ...]]:
    """The same with what is to be seen at a glance."""
    return [tuple(_clean(span) for span in line) for line in _lines(card)]


def _clean(span: Span) -> Span:
    return Span(printable(span.text), span.tone, span.strong)


def _lines(card: Card) -> Iterator[tuple[Span, ...]]:
    yield (Span(card.headline, card.safety, strong=True),)
    yield (Span(card.standing, card.tone, strong=True),)
    if card.progress is not None:
        full = int(card.progress * _BAR_WIDTH)
        bar = "█" * full + "░" * (_BAR_WIDTH - full)
        # Never 100.0 % before the end.
        yield (Span(bar, card.tone), Span(f" {int(card.progress * 1000) / 10:.1f} %"))
    for notice in card.notices:
        yield from _notice(notice)
    for row in card.rows:
        yield from _row(row)
    if card.life:
        yield ()
        yield from ((Span(line),) for line in card.life)


def _notice(notice: Notice) -> Iterator[tuple[Span, ...]]:
    yield (Span(notice.text, notice.tone, strong=notice.tone == "trouble"),)
    if notice.remedy:
        yield (Span("  what to do: "), Span(notice.remedy, strong=True))


def _row(row: Row) -> Iterator[tuple[Span, ...]]:
    yield (Span(f"{row.label:<{_LABEL_WIDTH}} "), Span(row.text, row.tone))
    for line in row.more:
        yield (Span(" " * (_LABEL_WIDTH + 1)), Span(line))

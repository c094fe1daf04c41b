"""The card in each state of a run, as text and as HTML, is as it was looked at and found good.

Where it is to be another one: ``python -m trainer.testing.standings tests/trainer/seeing/cards``, and look at what
``git diff`` shows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.testing.standings import STANDINGS, render, write_cards

CARDS = Path(__file__).with_name("cards")


@pytest.mark.parametrize("name", STANDINGS)
def test_it_is_as_it_was(name: str) -> None:
    text, html, style = render(STANDINGS[name])
    assert text == (CARDS / f"{name}.txt").read_text(encoding="utf-8")
    assert f"{html}\n" == (CARDS / f"{name}.html").read_text(encoding="utf-8")
    assert style == (CARDS / "style.css").read_text(encoding="utf-8")


def test_renewed_they_are_those_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "of before.txt").touch()
    write_cards(tmp_path)
    new, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, CARDS))
    assert new == kept

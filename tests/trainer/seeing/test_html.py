"""The card as HTML: it needs nothing else, and nothing in it is more than words."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser

import pytest

from trainer.seeing.card import make_card
from trainer.seeing.html import to_html
from trainer.testing.standings import NOW_S, STANDINGS, ZONE

VOID = {"img"}


class Reader(HTMLParser):
    """Takes a fragment apart, and sees that what it opens is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", STANDINGS)
def test_it_is_whole_and_stands_alone(name: str) -> None:
    html = to_html(make_card(STANDINGS[name], NOW_S, zone=ZONE))
    reader = Reader(html)
    assert set(reader.tags) <= {"div", "style", "span", "dl", "dt", "dd", "ul", "li", "code"}
    assert not re.search(r"https?:|url\(|@import", html)
    assert {key for key, _ in reader.attributes if key.startswith("on") or key in {"src", "href"}} == set()


def test_a_chart_goes_into_it() -> None:
    html = to_html(make_card(STANDINGS["training"], NOW_S, zone=ZONE), chart=b"\x89PNG and more")
    (source,) = [value for key, value in Reader(html).attributes if key == "src"]
    assert source is not None
    kind, _, content = source.partition(",")
    assert (kind, b64decode(content)) == ("data:image/png;base64", b"\x89PNG and more")


@pytest.mark.parametrize(
    ("dark", "asks", "grounds"),
    [
        pytest.param(None, True, 2, id="as the reader's system has it"),
        pytest.param(False, False, 1, id="light"),
        pytest.param(True, False, 1, id="dark"),
    ],
)
def test_light_and_dark(*, dark: bool | None, asks: bool, grounds: int) -> None:
    html = to_html(make_card(STANDINGS["training"], NOW_S, zone=ZONE), dark=dark)
    assert ("prefers-color-scheme:dark" in html) is asks
    assert html.count("--ground:#") == grounds

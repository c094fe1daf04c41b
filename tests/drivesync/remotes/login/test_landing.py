"""The answer to this login is found, whatever else comes to the page or is pasted."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3

from drivesync.errors import UnfinishedError
from drivesync.remotes.login.landing import Landing, Reply, read_pasted, read_reply

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = "4/0AfJohXk"
_LANDED = f"http://127.0.0.1:1234/?state=mine&code={_CODE}&scope=drive"


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        pytest.param(_LANDED, Reply(code=_CODE), id="code"),
        pytest.param(f"/?code={_CODE}&state=mine", Reply(code=_CODE), id="the path alone"),
        pytest.param("/?state=mine&code=4%2F0AfJ", Reply(code="4/0AfJ"), id="escaped"),
        pytest.param("/?state=mine&error=access_denied", Reply(error="access_denied"), id="denied"),
        pytest.param("/?state=mine&error=%1b[2Jno", Reply(error="2Jno"), id="nothing for the terminal"),
        pytest.param(f"/?state=other&code={_CODE}", None, id="another login's"),
        pytest.param(f"/?code={_CODE}", None, id="no state"),
        pytest.param(f"/?state=mine&state=mine&code={_CODE}", None, id="two states"),
        pytest.param("/?state=mine", None, id="no answer"),
        pytest.param("/favicon.ico", None, id="an icon"),
    ],
)
def test_replies(address: str, reply: Reply | None) -> None:
    assert read_reply(address, "mine") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        pytest.param(f"  {_LANDED}\r", Reply(code=_CODE), id="the whole address"),
        pytest.param("4/0AfJohXkLong", Reply(code="4/0AfJohXkLong"), id="the bare code"),
        pytest.param("4%2F0AfJohXkLong", Reply(code="4/0AfJohXkLong"), id="as it stands in the address"),
        pytest.param(_LANDED.replace("mine", "other"), None, id="another login's address"),
        pytest.param("http://127.0.0.1:1234/", None, id="no query"),
        pytest.param("http://[::1", None, id="a torn address"),
        pytest.param("yes", None, id="a word"),
    ],
)
def test_pasted(line: str, reply: Reply | None) -> None:
    assert read_pasted(line, "mine") == reply


def test_a_code_is_not_shown() -> None:
    assert _CODE not in repr(Reply(code=_CODE))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A terminal: what it shows to the program, and what the user types at."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_browser_lands_after_other_things(capfd: pytest.CaptureFixture[str]) -> None:
    pages: list[tuple[int, bytes]] = []
    with Landing() as landing, urllib3.PoolManager(retries=False) as http:
        place = urlsplit(landing.address)
        # What a browser opens in advance, and gives up again.
        socket.create_connection(("127.0.0.1", place.port or 0)).close()

        def browse() -> None:
            for query in ("favicon.ico", f"?state=other&code={_CODE}", f"?state=mine&code={_CODE}"):
                page = http.request("GET", landing.address + query)
                pages.append((page.status, page.data))

        browser = threading.Thread(target=browse)
        browser.start()
        reply = landing.wait("mine", pytest.fail, timeout_s=20)
        browser.join()
    assert reply == Reply(code=_CODE)
    assert [status for status, _ in pages] == [404, 404, 200]
    assert b"close this page" in pages[-1][1]
    assert capfd.readouterr() == ("", "")


def test_a_pasted_address_is_taken_and_a_wrong_one_asked_for_again(pipe: tuple[int, int]) -> None:
    said: list[str] = []
    with Landing(pipe[0]) as landing:
        os.write(pipe[1], f"what?\n\n{_LANDED[:20]}".encode())
        os.write(pipe[1], f"{_LANDED[20:]}\n".encode())
        assert landing.wait("mine", said.append, timeout_s=20) == Reply(code=_CODE)
    assert len(said) == 1
    assert landing.address in said[0]


def test_nobody_answers(pipe: tuple[int, int]) -> None:
    times_s = iter([0.0, 1.0, 299.99, 300.0])
    os.write(pipe[1], b"no\n")
    with Landing(pipe[0]) as landing, pytest.raises(UnfinishedError, match="within 300 seconds"):
        landing.wait("mine", lambda _line: None, timeout_s=300, clock=lambda: next(times_s))


def test_the_end_of_what_is_typed_is_not_the_end_of_the_login() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"hm")
    os.close(writing)
    said: list[str] = []
    with Landing(reading) as landing, urllib3.PoolManager() as http:
        browser = threading.Thread(
            target=lambda: http.request("GET", f"{landing.address}?state=mine&error=access_denied")
        )

        def hear(line: str) -> None:
            said.append(line)
            browser.start()

        assert landing.wait("mine", hear, timeout_s=20) == Reply(error="access_denied")
        browser.join()
    os.close(reading)
    assert len(said) == 1


def test_the_page_is_served_on_loopback_alone_and_gone_afterwards() -> None:
    with Landing() as landing:
        place = urlsplit(landing.address)
        assert place.hostname == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", place.port or 0))

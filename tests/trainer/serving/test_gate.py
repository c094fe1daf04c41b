"""Who is answered: tables of paths and hosts, and what goes with an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse

from trainer.serving.gate import Gate, make_token

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

TOKEN = make_token()
COLAB = "8000-gpu-t4-s-1abc2def3-a.us-east1-0.prod.colab.dev"
OLD_COLAB = "abc1def2g-496ff2e9c6d22116-8000-colab.googleusercontent.com"

Answer = tuple[int, dict[str, str], bytes]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path that it was asked for."""
    await PlainTextResponse(scope["path"])(scope, receive, send)


def ask(gate: Gate, path: str, host: str | None = "127.0.0.1:8000", method: str = "GET") -> Answer:
    """What the gate answers: status, headers, body."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    asyncio.run(gate(scope, receive, send))
    start, *rest = messages
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], named, b"".join(message.get("body", b"") for message in rest)


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        pytest.param(f"/{TOKEN}/", "/", id="the page"),
        pytest.param(f"/{TOKEN}/page.js", "/page.js", id="what belongs to it"),
        pytest.param(f"/{TOKEN}//x", "//x", id="only the first part is the token"),
        pytest.param("/", None, id="no token"),
        pytest.param("", None, id="no path"),
        pytest.param("*", None, id="no path but a star"),
        pytest.param("//", None, id="an empty token"),
        pytest.param("/page.js", None, id="a file of the page"),
        pytest.param(f"/{TOKEN[:-1]}/", None, id="a part of the token"),
        pytest.param(f"/{TOKEN}x/", None, id="more than the token"),
        pytest.param(f"/{TOKEN.swapcase()}/", None, id="in other letters"),
        pytest.param(f"//{TOKEN}/", None, id="not the first part"),
        pytest.param(f"/x/../{TOKEN}/", None, id="by a detour"),
        pytest.param("/\udcff\u00e9/", None, id="what is no text"),
    ],
)
def test_nobody_is_answered_without_the_token(path: str, answered: str | None) -> None:
    status, headers, body = ask(Gate(echo, TOKEN), path)
    if answered is None:
        assert (status, body) == (404, b"Not Found")
        # Nor does a header tell what there is.
        assert set(headers) == {"content-length", "content-type"}
    else:
        assert (status, body) == (200, answered.encode())


@pytest.mark.parametrize(
    ("host", "in_colab", "names", "is_answered"),
    [
        pytest.param("127.0.0.1:8000", False, (), True, id="by number"),
        pytest.param("localhost:8000", False, (), True, id="by name"),
        pytest.param("LOCALHOST", False, (), True, id="without a port, in capitals"),
        pytest.param("localhost:9", False, (), True, id="through a tunnel from another port"),
        pytest.param("evil.example:8000", False, (), False, id="a page that had its own name point here"),
        pytest.param("localhost.evil.example", False, (), False, id="a name that begins like ours"),
        pytest.param("evil.example:127.0.0.1", False, (), False, id="a port that is none"),
        pytest.param("", False, (), False, id="an empty one"),
        pytest.param(None, False, (), False, id="none"),
        pytest.param(COLAB, True, (), True, id="Colab's proxy"),
        pytest.param(OLD_COLAB, True, (), True, id="Colab's proxy, as of old"),
        pytest.param(COLAB, False, (), False, id="Colab's proxy, elsewhere"),
        pytest.param("prod.colab.dev.evil.example", True, (), False, id="in Colab, one that looks like it"),
        pytest.param("evil.example", True, (), False, id="in Colab, another"),
        pytest.param("hub.example", False, ("hub.example",), True, id="a proxy that was named"),
        pytest.param("other.example", False, ("hub.example",), False, id="one that was not"),
    ],
)
def test_only_expected_hosts_are_answered(
    host: str | None, *, in_colab: bool, names: tuple[str, ...], is_answered: bool
) -> None:
    gate = Gate(echo, TOKEN, frozenset(names), in_colab)
    status, _, body = ask(gate, f"/{TOKEN}/", host)
    assert (status, body) == ((200, b"/") if is_answered else (404, b"Not Found"))


def test_without_its_slash_the_address_leads_to_the_page_from_behind_any_proxy() -> None:
    status, headers, _ = ask(Gate(echo, TOKEN), f"/{TOKEN}")
    assert (status, headers["location"]) == (307, f"{TOKEN}/")


@pytest.mark.parametrize("in_colab", [pytest.param(True, id="in Colab"), pytest.param(False, id="elsewhere")])
def test_what_is_answered_goes_nowhere_else(*, in_colab: bool) -> None:
    _, headers, _ = ask(Gate(echo, TOKEN, in_colab=in_colab), f"/{TOKEN}/")
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    frames = policy.pop("frame-ancestors")
    assert "colab.research.google.com" in frames if in_colab else frames == "'none'"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)

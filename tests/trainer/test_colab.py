"""The machine is given back by the request that Colab's own library sends, and who cannot is told what to do."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, RemoteError
from trainer.colab import can_unassign, unassign

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def manager(status: int) -> Iterator[tuple[dict[str, str], list[tuple[str, str, bytes]]]]:
    """What manages a machine: the environment that names it, and the requests it has got."""
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.command, self.path, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {"TBE_RUNTIME_ADDR": f"127.0.0.1:{server.server_port}"}, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        pytest.param({}, False, id="no Colab"),
        pytest.param({"TBE_RUNTIME_ADDR": ""}, False, id="no address"),
        pytest.param({"TBE_RUNTIME_ADDR": "172.28.0.1:8011"}, True, id="Colab"),
    ],
)
def test_a_machine_of_colabs_is_told_by_its_environment(environ: dict[str, str], answer: bool) -> None:  # noqa: FBT001 - of the table
    assert can_unassign(environ) is answer


def test_the_request_is_that_of_colabs_library() -> None:
    with manager(200) as (environ, asked):
        unassign(environ)
    assert asked == [("POST", "/unassign", b"")]


def test_no_proxy_is_asked_for_what_lies_beside_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with manager(200) as (environ, asked):
        unassign(environ)
    assert len(asked) == 1


def test_a_refusal_says_what_to_do_by_hand() -> None:
    with manager(503) as (environ, asked), pytest.raises(RemoteError, match="the answer was 503") as error:
        unassign(environ)
    assert "Disconnect and delete runtime" in error.value.hint
    assert len(asked) == 1


def test_elsewhere_there_is_nothing_to_give_back() -> None:
    with pytest.raises(NotFoundError, match="no machine of Colab's"):
        unassign({})


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RemoteError, match="refused"):
        unassign({"TBE_RUNTIME_ADDR": f"127.0.0.1:{port}"})


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(RemoteError, match="no answer"):
            unassign({"TBE_RUNTIME_ADDR": f"127.0.0.1:{port}"}, timeout_s=0.05)


@pytest.mark.parametrize("address", ["host:port", "[::1", "a b:1", "a..b:80"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(RemoteError, match="could not be given back"):
        unassign({"TBE_RUNTIME_ADDR": address})

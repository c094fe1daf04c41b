"""Notices reach a real server as they should, and no server, however bad, is noticed by the training."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import UsageError
from trainer.notify import Notice, Notifier, check_address, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.notify import NoticeEvent

SECRET = "T0KEN-that-nobody-may-see"


class Server:
    """A webhook that answers as it is told, and keeps what it was sent.

    Attributes:
        answers: status and further headers of each answer, in order; 200 when they are used up.
        got: the bodies, headers and paths of all requests.
        held: while it is clear no request is answered.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.got: list[tuple[bytes, dict[str, str], str]] = []
        self.held = threading.Event()
        self.held.set()
        self.asked = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.got.append((body, dict(self.headers.items()), self.path))
                server.asked.set()
                server.held.wait()
                status, headers = server.answers.pop(0) if server.answers else (200, {})
                try:
                    self.send_response(status)
                    for name, value in {"Content-Length": "0", **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                except ConnectionError:
                    return  # whoever asked has gone

            def do_GET(self) -> None:
                server.got.append((b"", {}, self.path))
                self.send_error(405)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/services/{SECRET}"

    @property
    def events(self) -> list[str]:
        return [json.loads(body)["event"] for body, _, _ in self.got]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    webhook = Server()
    with webhook.http:
        thread = threading.Thread(target=webhook.http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield webhook
        finally:
            webhook.held.set()
            webhook.http.shutdown()
            thread.join()


def notice(event: NoticeEvent = "finished", message: str = "all is well") -> Notice:
    return Notice(event, "backup/remote", "darknet", message, 1790000000.0, 6000, 6000, 5900)


def deliver(
    url: str, *notices: Notice, timeout_s: float = 5.0, drain_s: float = 15.0
) -> tuple[list[str], list[float]]:
    """What was reported, and the pauses that were made."""
    reports: list[str] = []
    pauses: list[float] = []
    notifier = Notifier(url, reports.append, timeout_s=timeout_s, drain_s=drain_s, sleep=pauses.append)
    with notifier:
        for one in notices:
            notifier.send(one)
    return reports, pauses


def test_what_is_posted(server: Server) -> None:
    assert deliver(server.url, notice(message="stopped at <3> & all")) == ([], [])
    [(body, headers, path)] = server.got
    line = "backup/remote in darknet: finished at iteration 6,000 of 6,000, safe on Drive up to 5,900. "
    assert json.loads(body) == {
        "event": "finished",
        "run": "backup/remote",
        "tree": "darknet",
        "iteration": 6000,
        "max_batches": 6000,
        "safe_iteration": 5900,
        "message": "stopped at <3> & all",
        "at": "2026-09-21T14:13:20+00:00",
        "text": f"{line}stopped at &lt;3&gt; &amp; all",
        "content": f"{line}stopped at <3> & all",
        "allowed_mentions": {"parse": []},
    }
    assert headers["Content-Type"] == "application/json"
    assert "urllib" not in headers["User-Agent"]
    assert path == f"/services/{SECRET}"


def test_what_is_not_known_is_null_and_not_spoken_of() -> None:
    said = json.loads(to_json(Notice("gave up", "backup/remote", "darknet", "no luck", 0.0)))
    assert said["iteration"] is said["max_batches"] is said["safe_iteration"] is None
    assert said["text"] == "backup/remote in darknet: gave up. no luck"


def test_discord_takes_no_more_than_so_much() -> None:
    said = json.loads(to_json(notice(message="x" * 5000)))
    assert len(said["content"]) == 1900
    assert said["content"].endswith("xxx...")
    assert len(said["message"]) == 5000


def test_a_name_that_is_no_text_is_sent_all_the_same() -> None:
    assert json.loads(to_json(notice(message="bad \udcff name")))["message"] == "bad ? name"


def test_all_are_sent_in_order(server: Server) -> None:
    assert deliver(server.url, notice("diverged"), notice("lost lease"), notice("finished"))[0] == []
    assert server.events == ["diverged", "lost lease", "finished"]


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        pytest.param([(500, {})], [1.0], id="an error in the server"),
        pytest.param([(503, {}), (502, {}), (408, {})], [1.0, 2.0, 4.0], id="longer each time"),
        pytest.param([(429, {"Retry-After": "7"})], [7.0], id="asked to wait"),
        pytest.param([(429, {"Retry-After": "86400"})], [30.0], id="asked to wait for too long"),
        pytest.param([(429, {"Retry-After": "soon"})], [1.0], id="asked to wait, nobody knows for how long"),
    ],
)
def test_a_busy_server_is_asked_again(
    server: Server, answers: list[tuple[int, dict[str, str]]], pauses: list[float]
) -> None:
    server.answers = list(answers)
    assert deliver(server.url, notice()) == ([], pauses)
    assert len(server.got) == len(answers) + 1


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_is_refused_is_not_sent_again_and_the_next_one_is(server: Server, status: int) -> None:
    server.answers = [(status, {})]
    reports, pauses = deliver(server.url, notice("diverged"), notice("finished"))
    assert reports == [f"the webhook was not told of 'diverged': it answered {status}"]
    assert pauses == []
    assert server.events == ["diverged", "finished"]


def test_a_redirection_is_not_followed(server: Server) -> None:
    server.answers = [(302, {"Location": "/elsewhere"})]
    assert deliver(server.url, notice())[0] == ["the webhook was not told of 'finished': it answered 302"]
    assert len(server.got) == 1


def test_a_server_that_stays_down_is_given_up(server: Server) -> None:
    server.answers = [(500, {})] * 9
    reports, pauses = deliver(server.url, notice())
    assert reports == ["the webhook was not told of 'finished': it answered 500"]
    assert pauses == [1.0, 2.0, 4.0]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reports, pauses = deliver(f"http://127.0.0.1:{port}/{SECRET}", notice())
    assert reports == ["the webhook was not told of 'finished': Connection refused"]
    assert len(pauses) == 3


def test_a_server_that_hangs_is_left(server: Server) -> None:
    server.held.clear()
    reports, pauses = deliver(server.url, notice(), timeout_s=0.05)
    assert reports == ["the webhook was not told of 'finished': it did not answer in time"]
    assert len(pauses) == 3


def test_one_that_speaks_no_http() -> None:
    def talk() -> None:
        for _ in range(4):
            connection = listener.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail ready\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk)
        thread.start()
        reports, _ = deliver(f"http://127.0.0.1:{listener.getsockname()[1]}/{SECRET}", notice())
        thread.join()
    assert reports == ["the webhook was not told of 'finished': it gave no answer that is HTTP"]


def test_one_that_speaks_no_tls(server: Server) -> None:
    reports, _ = deliver(server.url.replace("http:", "https:"), notice())
    assert reports == ["the webhook was not told of 'finished': no secure connection could be made"]


def test_a_host_that_is_no_name() -> None:
    reports, _ = deliver(f"http://a..b/{SECRET}", notice())
    assert len(reports) == 1
    assert "a..b" not in reports[0]


def test_the_training_waits_for_nothing_and_the_end_not_longer_than_it_may(server: Server) -> None:
    server.held.clear()
    reports: list[str] = []
    began_s = time.monotonic()
    with Notifier(server.url, reports.append, drain_s=0.2) as notifier:
        for _ in range(1000):
            notifier.send(notice())
        assert time.monotonic() - began_s < 2.0
    assert 0.2 <= time.monotonic() - began_s < 4.0
    assert reports == ["the webhook did not take its last notice within 0.2 s"]


def test_of_too_many_that_wait_the_last_are_kept(server: Server) -> None:
    server.held.clear()
    with Notifier(server.url, pytest.fail) as notifier:
        notifier.send(notice("lost lease"))
        server.asked.wait()
        for _ in range(100):
            notifier.send(notice("diverged"))
        notifier.send(notice("finished"))
        server.held.set()
    assert server.events == ["lost lease", *["diverged"] * 15, "finished"]


def test_a_pause_between_tries_ends_with_the_block(server: Server) -> None:
    server.answers = [(429, {"Retry-After": "30"})]
    reports: list[str] = []
    notifier = Notifier(server.url, reports.append, drain_s=0.0)
    with notifier:
        notifier.send(notice())
        server.asked.wait()
    notifier._thread.join(10.0)
    assert not notifier._thread.is_alive()
    assert reports == ["the webhook did not take its last notice within 0 s"]


def test_a_block_without_a_notice_asks_nobody(server: Server) -> None:
    assert deliver(server.url) == ([], [])
    assert server.got == []


def test_the_address_is_seen_nowhere(
    server: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [(500, {}), (404, {})]
    reports, _ = deliver(server.url, notice())
    with ExitStack() as stack:
        notifier = stack.enter_context(Notifier(server.url, reports.append))
        stack.callback(lambda: reports.append(repr(notifier)))
    said = "".join([*reports, caplog.text, *capfd.readouterr()])
    assert "404" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param(SECRET, id="no scheme"),
        pytest.param(f"ftp://host/{SECRET}", id="another scheme"),
        pytest.param(f"file:///{SECRET}", id="a file"),
        pytest.param(f"http:///{SECRET}", id="no host"),
        pytest.param(f"http://host:port/{SECRET}", id="a port that is none"),
        pytest.param(f"http://host:99999/{SECRET}", id="a port out of range"),
        pytest.param(f"http://[::1/{SECRET}", id="half an address"),
        pytest.param(f"http://me:{SECRET}@host/", id="a user"),
        pytest.param(f"http://host/a b{SECRET}", id="a space"),
        pytest.param(f"http://host/{SECRET}\n", id="a line's end"),
        pytest.param(f"http://host/{SECRET}é", id="not ASCII"),
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(UsageError) as error:
        Notifier(url, pytest.fail)
    assert SECRET not in f"{error.value}{error.value.hint}"


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com/services/T/B/X", "http://[::1]:8080/hook?wait=true"]
)
def test_addresses_that_can(url: str) -> None:
    check_address(url)

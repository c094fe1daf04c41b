"""``serve`` as a process: its address, what listens, who is answered, and its end."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from drivesync.cli import run_command
from trainer.cli.serve import serve_command

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = (sys.executable, "-m", "trainer", "serve")
PATIENCE_S = 30.0
LISTENING = "0A"
LOOPBACK = "0100007F"
"""127.0.0.1, as /proc/net/tcp writes it."""


@dataclass(frozen=True)
class Served:
    """A page that is served; ``process`` is the command's, ``pid`` whose it is that answers."""

    process: subprocess.Popen[str]
    pid: int
    port: int
    path: str
    said: str

    def ask(self, path: str, method: str = "GET", host: str = "localhost") -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request(method, path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextmanager
def serving(tree: Path, *options: str, **environment: str) -> Iterator[Served]:
    environ = {name: value for name, value in os.environ.items() if name != "COLAB_RELEASE_TAG"} | environment
    with subprocess.Popen(
        [*SERVE, str(tree), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        detached = None
        try:
            first, url = process.stdout.readline(), process.stdout.readline().strip()
            said = first + process.stdout.readline()
            if detached := re.search(r"`kill (\d+)`", first):
                said += process.stdout.read()
            parts = urlsplit(url)
            assert parts.hostname == "127.0.0.1", f"{first}{url}"
            assert parts.port
            pid = int(detached[1]) if detached else process.pid
            yield Served(process, pid, parts.port, parts.path, said)
        finally:
            process.kill()
            if detached:
                os.kill(int(detached[1]), signal.SIGKILL)


def sockets_of(pid: int) -> list[str]:
    """The addresses on which a process listens, as the kernel writes them."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed by now
            if match := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                inodes.add(match[1])
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == LISTENING and row[9] in inodes]


def test_only_loopback_is_listened_on_and_only_the_token_is_answered(tree: Path) -> None:
    tree.mkdir()
    with serving(tree) as page:
        assert page.ask(page.path)[0] == 200
        assert sockets_of(page.pid) == [f"{LOOPBACK}:{page.port:04X}"]
        # Another address of this same machine.
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", page.port))
        token = page.path.strip("/")
        for path in ("/", "/page.js", "/events", "/news", f"/{token[:-1]}/", f"/x{page.path}"):
            for method in ("GET", "POST", "OPTIONS"):
                assert page.ask(path, method) == (404, b"Not Found")
        assert page.ask(page.path, "POST")[0] == 405
        assert token not in Path(f"/proc/{page.pid}/cmdline").read_text()
        with closing(http.client.HTTPConnection("127.0.0.1", page.port, timeout=PATIENCE_S)) as viewer:
            viewer.request("GET", f"{page.path}events")
            assert b"No training has begun" in viewer.getresponse().read1()
            began_s = time.monotonic()
            page.process.send_signal(signal.SIGINT)
            # With a viewer that goes on looking; and nothing of all this was logged.
            assert page.process.communicate(timeout=PATIENCE_S) == ("", "")
            assert page.process.returncode == 0
            assert time.monotonic() - began_s < 5


def test_in_the_background_of_a_cell_in_colab(tree: Path) -> None:
    """There it says what shows the page, which Colab's proxy asks for by a name of its own."""
    options = "--background", "--proxy", "Hub.Example"
    with serving(tree, *options, COLAB_RELEASE_TAG="release-colab_20261101") as page:
        assert page.process.wait(PATIENCE_S) == 0
        assert f'serve_kernel_port_as_iframe({page.port}, path="{page.path}"' in page.said
        assert f'proxyPort({page.port})").rstrip("/") + "{page.path}"' in page.said
        for name in ("hub.example", f"{page.port}-gpu-t4-s-1abc2def3-a.us-east1-0.prod.colab.dev"):
            assert page.ask(page.path, host=name)[0] == 200
        assert page.ask(page.path, host="other.example") == (404, b"Not Found")
        token = page.path.strip("/").encode()
        for file in ("cmdline", "environ"):
            assert token not in Path(f"/proc/{page.pid}/{file}").read_bytes()
        assert sockets_of(page.pid) == [f"{LOOPBACK}:{page.port:04X}"]


def test_a_port_that_is_taken(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run_command(serve_command, ["--port", str(port), str(tree)]) == 64
    assert f"port {port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_get_it(
    package: str, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[:2] == ["trainer", "serving"]]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert run_command(serve_command, [str(tree)]) == 66
    said = capsys.readouterr().err
    assert f"needs the package {package}" in said
    assert "pip install 'darknet-drivesync[serve]'" in said

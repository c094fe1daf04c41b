"""The emulator as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from drivesync.testing.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def _serving(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "drivesync.testing", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            name, _, url = process.stdout.readline().strip().partition("=")
            assert name == "DRIVE_EMULATOR_HOST"
            yield url, process
        finally:
            process.kill()


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Authorization": "Bearer any"})
        return connection.getresponse().read()
    finally:
        connection.close()


def test_seeds_serves_and_ends(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "a b.txt").write_bytes(b"hello")
    (tmp_path / "tree" / "empty").mkdir()
    seeds = ("--seed", f"{tmp_path / 'tree'}:darknet/deep", "--seed", str(tmp_path / "tree"))
    with _serving(*seeds, "--fault", "error,status=503,times=1,call=about.get", "--latency-s", "0.001") as (
        url,
        process,
    ):
        found = json.loads(_get(f"{url}/drive/v3/files?fields=files(id,name)"))["files"]
        names = sorted(item["name"] for item in found)
        assert names == ["a b.txt", "a b.txt", "darknet", "deep", "empty", "empty", "sub", "sub", "tree"]
        file_id = next(item["id"] for item in found if item["name"] == "a b.txt")
        assert _get(f"{url}/drive/v3/files/{file_id}?alt=media") == b"hello"
        assert json.loads(_get(f"{url}/emulator/costs"))["latency_s"] == 0.001
        assert json.loads(_get(f"{url}/emulator/faults"))[0]["struck"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_survives_the_death_of_its_client() -> None:
    with _serving() as (url, process):
        client = (
            "import socket, sys, time\n"
            "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
            "s.sendall(b'POST /upload/drive/v3/files?uploadType=media HTTP/1.1\\r\\nHost: x\\r\\n'\n"
            "          b'Authorization: Bearer t\\r\\nContent-Length: 9\\r\\n\\r\\nhalf')\n"
            "print('sent', flush=True)\n"
            "time.sleep(60)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", client, url.rpartition(":")[2]], stdout=subprocess.PIPE, text=True
        ) as victim:
            assert victim.stdout is not None
            assert victim.stdout.readline() == "sent\n"
            os.kill(victim.pid, signal.SIGKILL)
        assert json.loads(_get(f"{url}/drive/v3/files"))["files"] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--fault", "explode"], "effect must be one of", id="unknown fault"),
        pytest.param(["--seed", "/nowhere/at/all"], "no directory", id="missing directory"),
        pytest.param(["--port", "70000"], "not in the range", id="port"),
        pytest.param(["--latency-s", "-1"], "not in the range", id="negative latency"),
    ],
)
def test_wrong_use_is_told(options: list[str], told: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert told in result.output

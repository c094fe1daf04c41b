"""``login``, ``logout`` and ``whoami`` as people and scripts meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended

    Run = Callable[..., Ended]


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """No credentials, and a place to keep some."""
    return {
        "GOOGLE_OAUTH_ACCESS_TOKEN": "",
        "XDG_CONFIG_HOME": str(tmp_path),
        "CLOUDSDK_CONFIG": str(tmp_path),
    }


def test_whoami(drivesync: Run) -> None:
    ended = drivesync("whoami")
    assert ended.status == 0
    account, storage, scopes, credentials = ended.out.splitlines()
    assert account == "account: Emulated User <user@example.com>"
    assert storage.startswith("storage: 16.1 GB left of 16.1 GB, ")
    assert scopes == "scopes: drive"
    assert credentials == "credentials: the environment variable GOOGLE_OAUTH_ACCESS_TOKEN"
    answer = json.loads(drivesync("whoami", "--json").out)
    assert answer["email"] == "user@example.com"
    assert answer["origin"]["kind"] == "token"


def test_log_in_use_it_and_log_out(
    drivesync: Run,
    environment: dict[str, str],
    nobody: dict[str, str],
    drive_emulator: DriveEmulator,
    tmp_path: Path,
) -> None:
    client = tmp_path / "client.json"
    client.write_text(json.dumps(drive_emulator.client_file()))
    with subprocess.Popen(
        [sys.executable, "-m", "drivesync", "login", str(client), "--no-browser"],
        env=environment | nobody,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = next(line.strip() for line in process.stderr if line.strip().startswith("http"))
        assert urllib3.request("GET", address).status == 200
        out, _err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("logged in as Emulated User <user@example.com>; the login is kept in ")
    assert "credentials: the login kept in " in drivesync("whoami", **nobody).out
    assert drivesync("logout", **nobody).out.startswith("logged out: ")
    assert drivesync("logout", **nobody).out == "nobody is logged in\n"


def test_77_who_is_not_logged_in_is_told_what_to_do(drivesync: Run, nobody: dict[str, str]) -> None:
    ended = drivesync("whoami", DRIVE_EMULATOR_HOST="", **nobody)
    assert ended.status == 77
    assert "`from google.colab import auth; auth.authenticate_user()`" in ended.complaint


def test_78_a_client_file_that_is_none(drivesync: Run) -> None:
    ended = drivesync("login", "absent.json")
    assert ended.status == 78
    assert ended.complaint.startswith("there is no client file absent.json. ")

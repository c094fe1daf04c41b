"""What a doctor finds out about the place that checkpoints go to: on an emulated Drive, and in folders."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from drivesync.config import Settings
from drivesync.errors import UsageError
from drivesync.holder import make_holder
from drivesync.remotes import open_remote
from drivesync.remotes.drive.account import Account
from drivesync.remotes.drive.auth import Origin
from drivesync.remotes.login.whoami import Identity, find_limits
from drivesync.testing import DriveEmulator, ErrorAnswer, Fault
from drivesync.testing.emulator import wall_clock_ms
from drivesync.testing.oauth import CLIENT_ID, CLIENT_SECRET
from trainer.doctoring.lines import Level, Line
from trainer.doctoring.remote import Question, judge_remote, judge_scopes
from trainer.doctoring.room import Savings

if TYPE_CHECKING:
    from pathlib import Path

RUN = "backup/remote"
DRIVE = "https://www.googleapis.com/auth/drive"
ELSEWHERE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def settings(drive_emulator: DriveEmulator) -> Settings:
    drive_emulator.put("darknet/cfg/remote.cfg", b"[net]\n")
    return settings_for(drive_emulator)


def settings_for(emulator: DriveEmulator) -> Settings:
    return replace(Settings.from_environment(emulator.environment()), retries=0)


@pytest.fixture
def question(tmp_path: Path) -> Question:
    return Question("darknet", RUN, tmp_path)


def by_topic(question: Question, settings: Settings, ahead_s: float = 0.0) -> dict[str, Line]:
    lines = list(judge_remote(question, settings, clock=lambda: time.time() + ahead_s))
    assert len({line.topic for line in lines}) == len(lines)
    assert all(bool(line.remedy) is (line.level is not Level.GOOD) for line in lines)
    return {line.topic: line for line in lines}


def test_all_is_well(question: Question, settings: Settings, drive_emulator: DriveEmulator) -> None:
    before = drive_emulator.read_tree("darknet")
    said = {topic: line.what for topic, line in by_topic(question, settings).items()}
    assert said.pop("storage").endswith(" left")
    assert said == {
        "Drive": "reached as Emulated User <user@example.com>, by the environment variable "
        "GOOGLE_OAUTH_ACCESS_TOKEN",
        "scopes": "drive",
        "remote": "darknet is there",
        "clock": "agrees with Drive's",
        "lease": f"no session has the run {RUN}",
    }
    assert drive_emulator.read_tree("darknet") == before


def test_drive_is_down(question: Question) -> None:
    (line,) = judge_remote(question, Settings("http://127.0.0.1:1", retries=0))
    assert (line.level, line.topic) == (Level.BAD, "Drive")
    assert "network" in line.remedy


def test_google_refuses(question: Question, settings: Settings, drive_emulator: DriveEmulator) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(401, "authError", "no"), times=None))
    lines = by_topic(question, settings)
    assert list(lines) == ["Drive"]
    assert lines["Drive"].level is Level.BAD
    assert "GOOGLE_OAUTH_ACCESS_TOKEN" in lines["Drive"].remedy


def test_an_answer_that_nobody_explains(
    question: Question, settings: Settings, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(404, "notFound", "no"), call="about.get", times=None))
    lines = by_topic(question, settings)
    assert lines["Drive"].level is Level.BAD
    assert "whoami" in lines["Drive"].remedy


def test_no_credentials(question: Question, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    (line,) = judge_remote(question, Settings())
    assert (line.level, line.topic) == (Level.BAD, "Drive")
    assert "login" in line.remedy


@pytest.mark.parametrize(
    ("scopes", "level"),
    [
        pytest.param([DRIVE], Level.GOOD, id="all"),
        pytest.param([f"{DRIVE}.file"], Level.WARNING, id="what it has put there itself"),
        pytest.param([f"{DRIVE}.readonly"], Level.BAD, id="pull only"),
        pytest.param([f"{DRIVE}.file", f"{DRIVE}.readonly"], Level.WARNING, id="pull, and push what is new"),
        pytest.param(["openid"], Level.BAD, id="nothing of Drive"),
        pytest.param([], Level.BAD, id="nothing"),
    ],
)
def test_scopes(scopes: list[str], level: Level) -> None:
    origin = Origin("token", "here", "")
    line = judge_scopes(Identity(Account("x", "", None, 0), tuple(scopes), find_limits(scopes), origin))
    assert line.level is level
    assert line.what.startswith(", ".join(scopes).replace("https://www.googleapis.com/auth/", "") or "none")


def test_a_token_for_reading(question: Question, settings: Settings, drive_emulator: DriveEmulator) -> None:
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": "http://127.0.0.1:1/"}
    wish = {"response_type": "code", "scope": f"{DRIVE}.readonly", "access_type": "offline"}
    with drive_emulator.locked():
        authority = drive_emulator.app.authority
        code = parse_qs(urlsplit(authority.authorize(client | wish)).query)["code"][0]
        given = authority.give_token(client | {"grant_type": "authorization_code", "code": code})
    line = by_topic(question, replace(settings, access_token=str(given["access_token"])))["scopes"]
    assert line.level is Level.BAD
    assert "They can pull but not push" in line.what


def test_what_fails_ends_no_other_line(
    question: Question, settings: Settings, drive_emulator: DriveEmulator
) -> None:
    # Finding the folder and the lease takes lists; the account and the room do not.
    drive_emulator.inject(Fault(ErrorAnswer(500, "backendError"), call="files.list", times=None))
    lines = by_topic(question, settings)
    assert lines["Drive"].level is lines["clock"].level is Level.GOOD
    assert lines["remote"].level is lines["lease"].level is Level.BAD


@pytest.mark.parametrize(
    ("has_tree", "level"),
    [
        pytest.param(True, Level.WARNING, id="it was not pushed yet"),
        pytest.param(False, Level.BAD, id="there is nothing to pull"),
    ],
)
def test_no_folder(question: Question, settings: Settings, level: Level, *, has_tree: bool) -> None:
    lines = by_topic(replace(question, name="nothing/here", has_tree=has_tree), settings)
    assert lines["remote"].level is level
    assert "nothing/here" in lines["remote"].what
    assert lines["lease"].level is Level.GOOD
    assert "disk" not in lines


def test_a_tree_that_is_still_to_come(
    question: Question, settings: Settings, drive_emulator: DriveEmulator, small_disk: Path
) -> None:
    question = replace(question, home=small_disk / "darknet", has_tree=False)
    assert by_topic(question, settings)["disk"].level is Level.GOOD
    drive_emulator.put("darknet/data/train/1.png", bytes(10 << 20))
    line = by_topic(question, settings)["disk"]
    assert line.level is Level.BAD
    assert "brings 10.5 MB" in line.what


def test_little_is_left(question: Question, settings: Settings, drive_emulator: DriveEmulator) -> None:
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = store.used_bytes + 10_000_000
    for size, level in ((1_000_000, Level.GOOD), (2_000_000, Level.WARNING), (11_000_000, Level.BAD)):
        asked = replace(question, savings=Savings(size, numbered=6, rewritten=3))
        assert by_topic(asked, settings)["storage"].level is level
    asked = replace(asked, savings=Savings(2_000_000, numbered=6, rewritten=3), keep_numbered=2)
    assert by_topic(asked, settings)["storage"].level is Level.GOOD


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        (0.0, "agrees with Drive's"),
        (25.0, "agrees with Drive's"),
        (95.0, "s ahead of Drive's"),
        (-86_400.0, "s behind Drive's"),
    ],
)
def test_clocks(question: Question, settings: Settings, ahead_s: float, said: str) -> None:
    line = by_topic(question, settings, ahead_s)["clock"]
    assert line.what.endswith(said)
    assert line.level is (Level.WARNING if abs(ahead_s) > 30 else Level.GOOD)


def claim(settings: Settings, name: str, holder: str, *, release: bool = False) -> None:
    with open_remote(name, settings, print) as remote:
        record = remote.claim_lease(RUN, None, holder, "root@elsewhere, process 7")
        assert record is not None
        if release:
            remote.renew_lease(record, release=True)


def gone_holder() -> str:
    """The name of a session on this machine that has ended."""
    script = "from drivesync.holder import make_holder; print(make_holder())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["darknet", "a folder"])
@pytest.mark.parametrize(
    ("who", "level", "said"),
    [
        pytest.param("elsewhere", Level.WARNING, "another session has the run", id="another machine's"),
        pytest.param("released", Level.GOOD, "no session has the run", id="given back"),
        pytest.param("here", Level.GOOD, "a session on this machine has the run", id="this machine's"),
        pytest.param("gone", Level.GOOD, "is free", id="this machine's, ended"),
    ],
)
def test_leases(
    question: Question, settings: Settings, tmp_path: Path, name: str, who: str, level: Level, said: str
) -> None:
    if name == "a folder":
        name = str(tmp_path / "remote")
        (tmp_path / "remote").mkdir()
    holder = {"here": make_holder, "gone": gone_holder}.get(who, lambda: ELSEWHERE)()
    claim(settings, name, holder, release=who == "released")
    line = by_topic(replace(question, name=name), settings)["lease"]
    assert line.level is level
    assert said in line.what
    if level is Level.WARNING:
        assert "root@elsewhere, process 7" in line.what
        assert "--take-over" in line.remedy


def test_an_old_session_that_is_long_silent(question: Question) -> None:
    ahead_ms = 0
    with DriveEmulator(now_ms=lambda: wall_clock_ms() + ahead_ms) as emulator:
        settings = settings_for(emulator)
        emulator.put("darknet/x", b"")
        claim(settings, "darknet", ELSEWHERE)
        ahead_ms = 3_600_000
        line = by_topic(question, settings, ahead_s=3600)["lease"]
    assert line.level is Level.GOOD
    assert "is free; its last session was root@elsewhere" in line.what


def test_a_folder_needs_no_login(question: Question, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    lines = by_topic(replace(question, name=str(tmp_path / "remote")), Settings("http://127.0.0.1:1"))
    assert list(lines) == ["remote", "storage", "lease"]
    assert not list((tmp_path / "remote").iterdir())


def test_a_repository_takes_nothing(question: Question) -> None:
    lines = by_topic(replace(question, name="github:user/repository"), Settings())
    assert list(lines) == ["remote"]
    assert lines["remote"].level is Level.WARNING


def test_a_name_that_means_nothing(question: Question) -> None:
    with pytest.raises(UsageError):
        list(judge_remote(replace(question, name="https://example.com/x"), Settings()))

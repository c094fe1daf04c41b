"""Settings are right, or refused by name; a token is never shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings, default_tree, read_tree_settings
from drivesync.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    blank = {"DRIVE_EMULATOR_HOST": " ", "GOOGLE_OAUTH_ACCESS_TOKEN": " ", "DRIVESYNC_RETRIES": " "}
    assert Settings.from_environment(blank) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        pytest.param(
            "DRIVE_EMULATOR_HOST", "http://127.0.0.1:8085", "emulator_url", "http://127.0.0.1:8085", id="url"
        ),
        pytest.param(
            "DRIVE_EMULATOR_HOST", "localhost:1", "emulator_url", "http://localhost:1", id="host and port"
        ),
        pytest.param(
            "DRIVE_EMULATOR_HOST", "https://h:1//", "emulator_url", "https://h:1", id="slashes at the end"
        ),
        pytest.param(
            "GOOGLE_OAUTH_ACCESS_TOKEN", " ya29.a-b_c~ \n", "access_token", "ya29.a-b_c~", id="token"
        ),
        pytest.param("DRIVESYNC_RETRIES", "0", "retries", 0, id="no retries"),
        pytest.param("DRIVESYNC_RETRY_WAIT_S", "0.25", "retry_wait_s", 0.25, id="a short pause"),
    ],
)
def test_read(name: str, text: str, attribute: str, value: object) -> None:
    assert getattr(Settings.from_environment({name: text}), attribute) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("DRIVE_EMULATOR_HOST", "ftp://127.0.0.1", id="another protocol"),
        pytest.param("DRIVE_EMULATOR_HOST", "http://", id="no host"),
        pytest.param("DRIVE_EMULATOR_HOST", "http://[::1", id="a torn address"),
        pytest.param("DRIVE_EMULATOR_HOST", "http://h:port", id="a port that is no number"),
        pytest.param("DRIVE_EMULATOR_HOST", "http://h:99999", id="a port that is none"),
        pytest.param("DRIVESYNC_RETRIES", "-1", id="negative"),
        pytest.param("DRIVESYNC_RETRIES", "many", id="a word"),
        pytest.param("DRIVESYNC_RETRIES", "٣", id="another script's digit"),
        pytest.param("DRIVESYNC_RETRIES", "9" * 5000, id="longer than Python reads"),
        pytest.param("DRIVESYNC_RETRY_WAIT_S", "nan", id="not a number"),
        pytest.param("DRIVESYNC_RETRY_WAIT_S", "61", id="too long"),
        pytest.param("DRIVESYNC_RETRY_WAIT_S", "soon", id="no number at all"),
    ],
)
def test_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: text})


@pytest.mark.parametrize("token", ["s3cret\nx", "s3cret x", "s3cret\x7f", "s3crét"])
def test_a_token_that_cannot_be_sent_is_refused_unseen(token: str) -> None:
    with pytest.raises(SettingsError, match="GOOGLE_OAUTH_ACCESS_TOKEN") as caught:
        Settings.from_environment({"GOOGLE_OAUTH_ACCESS_TOKEN": token})
    assert "s3cr" not in str(caught.value) + caught.value.hint


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Settings(access_token="s3cret"))


def test_default_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert os.fspath(default_tree()) in {"darknet", "/content/darknet"}


@pytest.mark.parametrize(
    ("file", "environment", "keep_numbered"),
    [
        pytest.param(None, "", None, id="nothing is said: all stay"),
        pytest.param("", "", None, id="an empty file"),
        pytest.param("keep_numbered = 5", "", 5, id="the file says"),
        pytest.param("keep_numbered = 5", "2", 2, id="the environment goes before it"),
        pytest.param("keep_numbered = 5", "all", None, id="all after all"),
        pytest.param(None, "3", 3, id="the environment alone"),
    ],
)
def test_keep_numbered(tmp_path: Path, file: str | None, environment: str, keep_numbered: int | None) -> None:
    if file is not None:
        (tmp_path / "drivesync.toml").write_text(file)
    settings = read_tree_settings(tmp_path, {"DRIVESYNC_KEEP_NUMBERED": environment})
    assert settings.keep_numbered == keep_numbered


@pytest.mark.parametrize(
    ("file", "environment", "said"),
    [
        pytest.param("keep_numbered = 0", "", "from 1", id="none: the newest always stays"),
        pytest.param("keep_numbered = true", "", "is True", id="no number"),
        pytest.param("keep_numberd = 3", "", "keep_numberd", id="misspelt: nothing would be deleted"),
        pytest.param("keep_numbered =", "", "cannot be read", id="torn"),
        pytest.param("", "many", "DRIVESYNC_KEEP_NUMBERED", id="a word"),
        pytest.param('unpack = "a.zip"', "", "must be a list", id="one path, and no list"),
        pytest.param('unpack = ["a.zip", 1]', "", "must be a list", id="a number among the paths"),
        pytest.param('unpack = ["a.rar"]', "", "does not end in", id="an archive that nobody here can read"),
        pytest.param('unpack = ["../a.zip"]', "", "no path of a file", id="outside the tree"),
        pytest.param('unpack = ["/a.zip"]', "", "no path of a file", id="absolute"),
        pytest.param(
            'unpack = [".drivesync/a.zip"]', "", "no path of a file", id="what drivesync keeps for itself"
        ),
    ],
)
def test_tree_settings_that_make_no_sense(tmp_path: Path, file: str, environment: str, said: str) -> None:
    (tmp_path / "drivesync.toml").write_text(file)
    with pytest.raises(SettingsError, match=said):
        read_tree_settings(tmp_path, {"DRIVESYNC_KEEP_NUMBERED": environment})


@pytest.mark.parametrize(
    ("file", "environment", "unpack"),
    [
        pytest.param("", "", (), id="nothing is said"),
        pytest.param(
            'unpack = ["data/obj.zip", "b.tar.gz"]', "", ("data/obj.zip", "b.tar.gz"), id="the file says"
        ),
        pytest.param('unpack = ["a.zip", "a.zip"]', "", ("a.zip",), id="twice"),
        pytest.param(
            'unpack = ["a.zip"]', "b.tar:c d.tgz", ("b.tar", "c d.tgz"), id="the environment goes before it"
        ),
        pytest.param('unpack = ["a.zip"]', ":", (), id="none after all"),
    ],
)
def test_unpack(tmp_path: Path, file: str, environment: str, unpack: tuple[str, ...]) -> None:
    (tmp_path / "drivesync.toml").write_text(file)
    assert read_tree_settings(tmp_path, {"DRIVESYNC_UNPACK": environment}).unpack == unpack


@pytest.mark.parametrize(
    ("file", "environment", "packs"),
    [
        pytest.param("", "", "auto", id="nothing is said"),
        pytest.param('packs = "manual"', "", "manual", id="the file says"),
        pytest.param('packs = "manual"', "off", "off", id="the environment goes before it"),
    ],
)
def test_packs(tmp_path: Path, file: str, environment: str, packs: str) -> None:
    (tmp_path / "drivesync.toml").write_text(file)
    assert read_tree_settings(tmp_path, {"DRIVESYNC_PACKS": environment}).packs == packs


@pytest.mark.parametrize(
    ("file", "environment", "said"),
    [
        pytest.param(
            'packs = "on"',
            "",
            "drivesync.toml: packs is 'on'; it must be one of off, manual, auto",
            id="a word",
        ),
        pytest.param("packs = true", "", "packs is True", id="no word"),
        pytest.param('packs = ["auto"]', "", "packs is", id="a list"),
        pytest.param('packs = "auto"', "Auto", "DRIVESYNC_PACKS is 'Auto'", id="in the environment"),
    ],
)
def test_packs_that_cannot_be(tmp_path: Path, file: str, environment: str, said: str) -> None:
    (tmp_path / "drivesync.toml").write_text(file)
    with pytest.raises(SettingsError, match=said):
        read_tree_settings(tmp_path, {"DRIVESYNC_PACKS": environment})

"""What Drive says, as values."""

from __future__ import annotations

from typing import Any

import pytest

from drivesync.files import RemoteFile, Skipped
from drivesync.remotes.drive.entries import Folder, from_time, order_of, to_time, to_value

FILE = {
    "id": "1",
    "name": "a",
    "mimeType": "application/octet-stream",
    "size": "5368709120",
    "md5Checksum": "D41D8CD98F00B204E9800998ECF8427E",
    "modifiedTime": "2023-11-14T22:13:20.123Z",
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2023-11-14T22:13:20.123Z", 1_700_000_000.123, id="to the millisecond"),
        pytest.param("1970-01-01T00:00:00.000Z", 0.0, id="where Unix begins"),
        pytest.param("1969-12-31T23:59:59.500Z", -0.5, id="before that"),
        pytest.param("2106-02-07T06:28:16.000Z", 2.0**32, id="after 32 bits"),
    ],
)
def test_times_go_both_ways(text: str, seconds: float) -> None:
    assert from_time(text) == pytest.approx(seconds, abs=1e-6)
    assert to_time(seconds) == text


def test_a_file_over_4_gb() -> None:
    expected = RemoteFile("b/a", "1", 5 << 30, "d41d8cd98f00b204e9800998ecf8427e", 1_700_000_000.123)
    assert to_value(FILE, "b/a") == expected


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param(
            {"mimeType": "application/vnd.google-apps.form"}, "it is a Google form, not a file", id="a form"
        ),
        pytest.param({"md5Checksum": None}, "Drive gives no checksum for it", id="no checksum"),
        pytest.param({"size": None}, "Drive gives no checksum for it", id="no size"),
    ],
)
def test_what_is_no_file(more: dict[str, Any], reason: str) -> None:
    entry = {key: value for key, value in {**FILE, **more}.items() if value is not None}
    assert to_value(entry, "a") == Skipped("a", reason, "1")


def test_order_is_folders_and_then_the_newest() -> None:
    old, new, same = FILE, {**FILE, "modifiedTime": "2026-01-01T00:00:00.000Z"}, {**FILE, "id": "2"}
    folder = {**FILE, "mimeType": "application/vnd.google-apps.folder"}
    assert sorted([old, folder, new, same], key=order_of, reverse=True) == [folder, new, same, old]


def test_a_folder_leads_back_to_itself_and_to_those_above() -> None:
    root = Folder("r", "")
    below = root.child({"id": "a"}, "a").child({"id": "b"}, "a/b")
    assert [below.leads_back_to(folder_id) for folder_id in "abrx"] == [True, True, True, False]


def test_what_a_push_recorded_is_told_and_the_run_bit_apart_from_it() -> None:
    value = to_value({**FILE, "appProperties": {"iteration": "7", "executable": "true"}}, "a")
    assert isinstance(value, RemoteFile)
    assert (value.properties, value.executable) == ({"iteration": "7"}, True)

from __future__ import annotations

import pytest

from drivesync.testing.rfc3339 import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        pytest.param("1970-01-01T00:00:00.001Z", 1, id="milliseconds"),
        pytest.param("1970-01-01T00:00:01Z", 1000, id="no fraction"),
        pytest.param("1970-01-01T00:00:00.123456789Z", 123, id="nanoseconds are cut, as rclone sends them"),
        pytest.param("1970-01-01T00:00:00.5Z", 500, id="one digit is tenths"),
        pytest.param("1970-01-01T02:00:00+02:00", 0, id="ahead of UTC"),
        pytest.param("1969-12-31T23:30:00-00:30", 0, id="behind UTC"),
        pytest.param("1970-01-01T00:00:01", 1000, id="without an offset it is UTC"),
        pytest.param("1970-01-02", 86_400_000, id="a date is its midnight"),
    ],
)
def test_parse_time(text: str, at_ms: int) -> None:
    assert parse_time(text) == at_ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1970-13-01T00:00:00Z", "1970-01-01T00:00Z", "1970-01-01T00:00:00Zx"]
)
def test_parse_time_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month"):
        parse_time(text)


def test_format_time_is_what_drive_writes() -> None:
    assert format_time(1_795_410_441_007) == "2026-11-23T05:07:21.007Z"
    assert parse_time(format_time(1_795_410_441_007)) == 1_795_410_441_007

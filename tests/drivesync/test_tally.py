"""How far a job is, in words."""

from __future__ import annotations

import pytest

from drivesync.tally import Tally, format_duration, format_rate

MEGABYTE = 1_000_000


def tally(files: int = 2_000, size_bytes: int = 40 * MEGABYTE) -> Tally:
    """A pull of which all is known since the time 0."""
    made = Tally("pull", 0.0)
    made.expect(files, size_bytes, 0.0)
    return made


def say(job: Tally, now_s: float, slowed_by: str) -> str:
    """As it stands in a log."""
    return ", ".join(filter(None, job.describe(now_s, slowed_by)))


def test_speeds_and_the_time_left_are_those_of_the_last_seconds() -> None:
    job = tally()
    job.advance(900, 18 * MEGABYTE)
    job.sample(90.0)
    for second in range(1, 11):
        job.advance(27, 540_000)
        job.sample(90.0 + second)
    assert say(job, 100.0, "") == (
        "pull: 1,170 of 2,000 files, 23.4 MB of 40.0 MB, 27 files/s, 540.0 kB/s, 0:31 left"
    )


def test_what_slows_it_down_stands_before_the_speed() -> None:
    job = tally()
    job.advance(270, 5_400_000)
    job.sample(10.0)
    said = say(job, 10.0, "Drive's rate limit")
    assert ", slowed by Drive's rate limit, 27 files/s, 540.0 kB/s, " in said


def test_a_job_that_stands_still_says_so_only_if_it_is_known_why() -> None:
    job = tally()
    job.sample(10.0)
    assert say(job, 10.0, "") == "pull: 0 of 2,000 files, 0 bytes of 40.0 MB"
    assert say(job, 10.0, "x").endswith(", slowed by x, 0 files/s, 0 bytes/s")


def test_totals_that_grow_are_not_final() -> None:
    job = tally()
    job.advance(270, 5_400_000)
    job.sample(10.0)
    job.expect(1, 0, 10.0)
    assert say(job, 10.5, "") == (
        "pull: 270 of 2,001+ files, 5.4 MB of 40.0 MB+, 27 files/s, 540.0 kB/s, over 1:04 left"
    )
    assert "+" not in say(job, 20.0, "")


def test_large_files_and_small_ones_take_as_long_as_the_slower() -> None:
    job = tally(files=2, size_bytes=1_000 * MEGABYTE)
    job.advance(1, 100 * MEGABYTE)
    job.sample(10.0)
    assert say(job, 10.0, "").endswith("0.1 files/s, 10.0 MB/s, 1:30 left")


def test_the_first_small_file_does_not_say_that_all_others_take_days() -> None:
    job = tally(files=300, size_bytes=MEGABYTE)
    job.advance(1, 6)
    job.sample(1.0)
    assert say(job, 3.0, "").endswith("1.0 files/s, 6 bytes/s, 5:09 left")


def test_a_resumed_download_is_not_counted_as_speed_for_long() -> None:
    job = tally(files=1, size_bytes=1_000 * MEGABYTE)
    job.advance(0, 900 * MEGABYTE)
    for second in range(1, 21):
        job.advance(0, MEGABYTE)
        job.sample(float(second))
    assert ", 1.0 MB/s, 1:20 left" in say(job, 20.0, "")


def test_what_has_no_size_is_told_without() -> None:
    job = tally(files=50, size_bytes=0)
    job.advance(10, 0)
    job.sample(10.0)
    assert say(job, 10.0, "") == "pull: 10 of 50 files, 1.0 files/s, 0:40 left"


def test_lost_work_is_no_negative_speed() -> None:
    job = tally()
    job.advance(0, MEGABYTE)
    job.sample(1.0)
    job.advance(0, -MEGABYTE)
    for second in range(2, 12):
        job.sample(float(second))
    assert say(job, 11.0, "") == "pull: 0 of 2,000 files, 0 bytes of 40.0 MB"


def test_nothing_to_do() -> None:
    job = Tally("pull", 0.0)
    assert say(job, 1.0, "") == "pull: nothing to do so far"
    assert not job.is_done(1.0)
    assert say(job, 60.0, "") == "pull: nothing to do"
    assert job.is_done(60.0)
    assert job.share_done == 0.0


@pytest.mark.parametrize(
    ("expected", "done", "share"),
    [
        pytest.param((4, 100), (1, 50), 0.5, id="by size"),
        pytest.param((4, 0), (1, 0), 0.25, id="empty files: by number"),
        pytest.param((4, 100), (4, 120), 1.0, id="more came than was expected"),
        pytest.param((4, 100), (0, -5), 0.0, id="work was lost"),
    ],
)
def test_share(expected: tuple[int, int], done: tuple[int, int], share: float) -> None:
    job = tally(*expected)
    job.advance(*done)
    assert job.share_done == share


def test_it_is_done_when_nothing_is_left_and_no_more_comes() -> None:
    job = tally(1, 10)
    job.advance(1, 10)
    assert not job.is_done(1.0)
    assert job.is_done(10.0)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0:00"), (9.6, "0:10"), (75.0, "1:15"), (3_725.0, "1:02:05")]
)
def test_durations(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


@pytest.mark.parametrize(("rate", "said"), [(0.0, "0"), (0.26, "0.3"), (27.4, "27"), (12_345.0, "12,345")])
def test_rates(rate: float, said: str) -> None:
    assert format_rate(rate) == said

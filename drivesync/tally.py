"""How far a job is, how fast it goes and what holds it back, in words. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque

from rich.filesize import decimal as format_size

_WINDOW_S = 10.0
"""Speeds are those of the last seconds."""
_FILE_BYTES = 100_000
"""What a file costs besides its bytes, in bytes. Without it the first few labels, of some bytes each, would say that
the images behind them take days."""
_GROWING_S = 3.0
"""Totals that grew so lately are taken to grow on: the next page of a listing is on its way."""


class Tally:
    """Counts what is to be done and what is done; not safe to use from several threads at once.

    Args:
        what: the job's name.
        now_s: a time in seconds, from any beginning; never decreases from call to call.
    """

    def __init__(self, what: str, now_s: float) -> None:
        self._what = what
        self.files = self.files_done = 0
        self.size_bytes = self.done_bytes = 0
        self._grew_s = now_s
        self._samples = deque([(now_s, 0, 0)])

    def expect(self, files: int, size_bytes: int, now_s: float) -> None:
        """So much more is to be done; zero says that more may come."""
        self.files += files
        self.size_bytes += size_bytes
        self._grew_s = now_s

    def advance(self, files: int, size_bytes: int) -> None:
        """So much more is done; negative where work was lost."""
        self.files_done += files
        self.done_bytes += size_bytes

    def sample(self, now_s: float) -> None:
        """Take note of how far it is at this moment; speeds are told between such moments."""
        self._samples.append((now_s, self.files_done, self.done_bytes))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= _WINDOW_S:
            self._samples.popleft()

    def is_growing(self, now_s: float) -> bool:
        """Whether the totals are hardly final."""
        return now_s - self._grew_s < _GROWING_S

    def is_done(self, now_s: float) -> bool:
        """Whether everything is done that is known of, and nothing more seems to come."""
        return self.files_done >= self.files and not self.is_growing(now_s)

    @property
    def _has_sizes(self) -> bool:
        """Whether bytes are counted: those of what is only looked at, or compiled, say nothing."""
        return bool(self.size_bytes or self.done_bytes)

    @property
    def share_done(self) -> float:
        """From 0 to 1, by size, or by number where no file has any."""
        done, all_of_it = (
            (self.done_bytes, self.size_bytes) if self.size_bytes else (self.files_done, self.files)
        )
        return min(1.0, max(0.0, done / all_of_it)) if all_of_it else 0.0

    def describe(self, now_s: float, slowed_by: str) -> tuple[str, str]:
        """How far, and how fast.

        Such as ``pull: 120 of 2,001+ files, 2.4 MB of 104.0 MB+`` and ``27 files/s, 540.0 kB/s, over 1:09 left``: a
        plus says that the total still grows. What holds the job back stands before the speeds. The second is empty
        where the job stands still and nobody knows why.
        """
        growing = self.is_growing(now_s)
        if not self.files:
            done = f"{self._what}: nothing to do{' so far' if growing else ''}"
        else:
            plus = "+" if growing else ""
            done = f"{self._what}: {self.files_done:,} of {self.files:,}{plus} files"
            if self._has_sizes:
                done += f", {format_size(self.done_bytes)} of {format_size(self.size_bytes)}{plus}"
        return done, self._describe_speed(slowed_by, growing=growing)

    def _describe_speed(self, slowed_by: str, *, growing: bool) -> str:
        files_per_s, bytes_per_s = self._speeds()
        said = [f"slowed by {slowed_by}"] if slowed_by else []
        if slowed_by or files_per_s or bytes_per_s:
            said.append(f"{format_rate(files_per_s)} files/s")
            said += [f"{format_size(round(bytes_per_s))}/s"] if self._has_sizes else []
        left_s = self._left_s(files_per_s, bytes_per_s)
        if left_s is not None:
            said.append(f"{'over ' if growing else ''}{format_duration(left_s)} left")
        return ", ".join(said)

    def _speeds(self) -> tuple[float, float]:
        """Files and bytes a second."""
        (began_s, files, size), (ended_s, files_now, size_now) = self._samples[0], self._samples[-1]
        if ended_s <= began_s:
            return 0.0, 0.0
        took_s = ended_s - began_s
        return max(0.0, (files_now - files) / took_s), max(0.0, (size_now - size) / took_s)

    def _left_s(self, files_per_s: float, bytes_per_s: float) -> float | None:
        """As long as the slower of two needs: small files use up requests, large ones bandwidth."""
        files = self.files - self.files_done
        size_bytes = self.size_bytes - self.done_bytes + files * _FILE_BYTES
        left = (files, files_per_s), (size_bytes, bytes_per_s + files_per_s * _FILE_BYTES)
        needed_s = [amount / speed for amount, speed in left if amount > 0 and speed > 0]
        return max(needed_s, default=None)


def format_rate(per_s: float) -> str:
    """A number a second: with one decimal below ten."""
    return f"{per_s:,.0f}" if per_s >= 10 or per_s == 0 else f"{per_s:.1f}"


def format_duration(seconds: float) -> str:
    """``M:SS`` or ``H:MM:SS``."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest_s:02}" if hours else f"{minutes}:{rest_s:02}"

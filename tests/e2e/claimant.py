"""A session as far as leases go, in a process of its own; it does what it is told, a line at a time.

python claimant.py WHO

claim REMOTE RUN        -> held EPOCH | refused MESSAGE
take-over REMOTE RUN    -> the same
check                   -> ok | lost MESSAGE
release                 -> released
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from drivesync.config import Settings
from drivesync.errors import LeaseError
from drivesync.leasing.lease import Lease
from drivesync.remotes import open_remote


class Claimant:
    """Holds one lease at a time."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._stack = ExitStack()
        self._lease: Lease | None = None

    def claim(self, name: str, run: str, *, take_over: bool) -> str:
        settings = Settings.from_environment(os.environ)
        remote = self._stack.enter_context(open_remote(name, settings, lambda _line: None))
        try:
            lease = Lease(remote, run, take_over=take_over, who=self._who)
            self._lease = self._stack.enter_context(lease)
        except LeaseError as error:
            self._stack.close()
            return f"refused {error}"
        return f"held {lease.epoch}"

    def check(self) -> str:
        assert self._lease is not None
        try:
            self._lease.check()
        except LeaseError as error:
            return f"lost {error}"
        return "ok"

    def release(self) -> str:
        self._stack.close()
        return "released"


def main() -> None:
    claimant = Claimant(sys.argv[1])
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "check":
            answer = claimant.check()
        elif command == "release":
            answer = claimant.release()
        else:
            name, run = arguments
            answer = claimant.claim(name, run, take_over=command == "take-over")
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

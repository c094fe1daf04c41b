"""A session holds the leases on several runs, and claims each once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LeaseError, TransientError
from drivesync.leasing.leases import Leases
from tests.drivesync.leasing.conftest import kept

if TYPE_CHECKING:
    from tests.drivesync.leasing.conftest import Remote


def test_several_runs(remote: Remote, other: Remote) -> None:
    with Leases(remote, who="root@one") as leases:
        assert leases.held == {}
        a, b = leases.hold("a"), leases.hold("b")
        assert leases.hold("a") is a
        assert leases.held == {"a": a, "b": b}
        with Leases(other) as others, pytest.raises(LeaseError, match="root@one"):
            others.hold("b")
        assert others.held == {}
        assert kept(other, "a").holder == a.holder != b.holder
    assert kept(other, "a").released
    assert kept(other, "b").released


def test_of_several_runs_one_may_be_lost(remote: Remote, other: Remote) -> None:
    with Leases(remote) as leases, Leases(other, take_over=True) as others:
        a, b = leases.hold("a"), leases.hold("b")
        others.hold("a")
        with pytest.raises(LeaseError):
            a.check()
        b.check()
        assert (a.lost is None, b.lost is None) == (False, True)
        assert leases.hold("a") is a, "it takes back what another session has"
    assert kept(other, "a").epoch == 2


def test_a_run_can_be_asked_for_again_after_an_error(remote: Remote) -> None:
    with Leases(remote) as leases:
        remote.trouble = TransientError("no answer")
        with pytest.raises(TransientError):
            leases.hold("run")
        assert leases.held == {}
        remote.trouble = None
        assert leases.hold("run").epoch == 1
        assert remote.claims == 1


def test_a_run_is_claimed_once_however_many_ask_at_once(remote: Remote) -> None:
    with Leases(remote) as leases, ExitStack() as stack:
        threads = [threading.Thread(target=leases.hold, args=("run",)) for _ in range(8)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
    assert remote.claims == 1

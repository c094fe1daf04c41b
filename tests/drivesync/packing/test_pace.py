"""How much of a core packing takes."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from drivesync.errors import UnfinishedError
from drivesync.packing.pace import CpuShare, lower_priority


class Machine:
    """A clock, and how much of a core was used."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.used_s = 3.0
        self.waits: list[float] = []

    def wait(self, _stop: threading.Event, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now_s += wait_s

    def work(self, work_s: float) -> None:
        self.now_s += work_s
        self.used_s += work_s


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def pace(machine: Machine, stop: threading.Event) -> CpuShare:
    return CpuShare(stop, 0.1, lambda: machine.now_s, lambda: machine.used_s, machine.wait)


def test_it_takes_no_more_than_its_share(pace: CpuShare, machine: Machine) -> None:
    pace.breathe()
    for _ in range(1000):
        machine.work(0.001)
        pace.breathe()
    assert machine.now_s - 100.0 == pytest.approx(10.0, abs=0.05)
    assert len(machine.waits) < 500, "short waits are put together"


def test_what_it_did_not_take_while_it_waited_for_the_network_is_forgotten(
    pace: CpuShare, machine: Machine
) -> None:
    pace.breathe()
    machine.now_s += 1000.0
    machine.work(1.0)
    pace.breathe()
    assert sum(machine.waits) == pytest.approx(10.0 - 0.5)


def test_it_ends_when_told_to(pace: CpuShare, machine: Machine, stop: threading.Event) -> None:
    pace.breathe()
    stop.set()
    machine.work(1.0)
    with pytest.raises(UnfinishedError, match="stopped"):
        pace.breathe()
    assert machine.waits == []


def test_a_real_thread_that_hashes_all_the_time_is_held_to_it(stop: threading.Event) -> None:
    pace = CpuShare(stop, 0.1)
    shares: list[float] = []

    def work() -> None:
        began_s, used_s = time.monotonic(), time.thread_time()
        pace.breathe()
        while time.monotonic() < began_s + 0.6:
            sum(range(5000))
            pace.breathe()
        shares.append((time.thread_time() - used_s) / (time.monotonic() - began_s))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert 0.0 < shares[0] < 0.13


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_only_the_thread_itself_steps_back() -> None:
    found: list[int] = []

    def step_back() -> None:
        lower_priority()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=step_back)
    thread.start()
    thread.join()
    assert found == [19]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before

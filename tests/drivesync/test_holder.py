"""Who is dead on this machine is known, and nobody else is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.holder import Fate, make_holder, tell_fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAM = "from drivesync.holder import make_holder; print(make_holder(), flush=True); input()"
NAME = re.compile(r"([0-9a-f]{32})\.([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9a-f]{32})")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """A process that has said its name, and waits."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with running:
        yield running
        running.kill()


def hear(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_a_name_is_random_and_no_longer_than_a_property_may_be() -> None:
    names = {make_holder() for _ in range(20)}
    assert len({name[-32:] for name in names}) == 20
    assert all(NAME.fullmatch(name) and len(name) <= 110 for name in names)
    longest = f"{'f' * 32}.{2**32 - 1}.{2**22}.{10**12}.{'f' * 32}"
    assert NAME.fullmatch(longest)
    assert len(longest) <= 110


def test_who_is_alive_is_not_gone(other: subprocess.Popen[str]) -> None:
    name = hear(other)
    assert tell_fate(name) is Fate.ALIVE
    other.send_signal(signal.SIGSTOP)
    assert tell_fate(name) is Fate.ALIVE, "it can be continued"
    assert tell_fate(make_holder()) is Fate.ALIVE


def test_who_was_killed_is_gone(other: subprocess.Popen[str]) -> None:
    name = hear(other)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert tell_fate(name) is Fate.GONE, "it only waits to be reaped"
    other.wait()
    assert tell_fate(name) is Fate.GONE


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        pytest.param(lambda b, n, p, s, r: f"{b}.{n}.{p}.{int(s) + 1}.{r}", True, id="began at another time"),
        pytest.param(lambda b, n, p, s, r: f"{b[::-1]}.{n}.{p}.{int(s) + 1}.{r}", False, id="another boot"),
        pytest.param(lambda b, n, p, s, r: f"{b}.{n}1.{p}.{int(s) + 1}.{r}", False, id="another namespace"),
        pytest.param(lambda b, n, _p, s, r: f"{b}.{n}.999999999.{s}.{r}", True, id="no such process"),
        pytest.param(lambda b, n, _p, s, r: f"{b}.{n}.0.{s}.{r}", False, id="no process at all"),
        pytest.param(lambda b, n, _p, s, r: f"{b}.{n}.-1.{s}.{r}", False, id="all processes"),
        pytest.param(lambda b, n, _p, s, r: f"{b}.{n}.{'9' * 30}.{s}.{r}", False, id="a huge number"),
        pytest.param(lambda b, n, p, s, _r: f"{b}.{n}.{p}.{int(s) + 1}", False, id="cut short"),
        pytest.param(lambda _b, _n, _p, _s, r: r, False, id="a machine that tells nothing"),
        pytest.param(lambda *_parts: "", False, id="nobody knows who"),
    ],
)
def test_only_what_is_certain_counts(change: Callable[..., str], *, gone: bool) -> None:
    parts = NAME.fullmatch(make_holder())
    assert parts is not None
    assert tell_fate(change(*parts.groups())) is (Fate.GONE if gone else Fate.UNKNOWN)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_another_users_process_is_gone_only_if_it_is_seen_to_be(other: subprocess.Popen[str]) -> None:
    name = hear(other)
    boot, namespace, pid, start, chosen = name.split(".")
    os.setresuid(65_534, 65_534, 0)
    try:
        with pytest.raises(PermissionError):
            os.kill(other.pid, 0)
        assert tell_fate(name) is Fate.ALIVE
        assert tell_fate(f"{boot}.{namespace}.{pid}.{int(start) + 1}.{chosen}") is Fate.GONE
    finally:
        os.setresuid(0, 0, 0)


def test_of_a_process_that_is_hidden_nothing_is_known_until_it_ends(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    boot, namespace, pid, start, chosen = hear(other).split(".")
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
    (tmp_path / "self/ns/pid").symlink_to(f"pid:[{namespace}]")
    assert tell_fate(f"{boot}.{namespace}.{pid}.{int(start) + 1}.{chosen}", tmp_path) is Fate.UNKNOWN
    other.kill()
    other.wait()
    assert tell_fate(f"{boot}.{namespace}.{pid}.{start}.{chosen}", tmp_path) is Fate.GONE


def test_where_proc_tells_nothing_a_name_is_only_random(tmp_path: Path) -> None:
    name = make_holder(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{32}", name)
    assert tell_fate(name, tmp_path) is Fate.UNKNOWN
    assert tell_fate(make_holder(), tmp_path) is Fate.UNKNOWN

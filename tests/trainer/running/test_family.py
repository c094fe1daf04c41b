from __future__ import annotations

import subprocess

from trainer.running.family import Family


def start(family: Family) -> subprocess.Popen[bytes]:
    """A process that is known to be loaded."""
    process = subprocess.Popen(
        ["sh", "-c", "echo loaded; read -r word"],
        env=family.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"loaded\n"
    return process


def test_a_family_is_found_and_ended_and_nobody_else() -> None:
    ours, others = Family(), Family()
    with start(ours) as one, start(ours) as other, start(others) as stranger:
        assert sorted(ours.find()) == sorted([one.pid, other.pid])
        ours.kill()
        assert [one.wait(), other.wait()] == [-9, -9]
        assert ours.find() == []
        assert others.find() == [stranger.pid]


def test_who_is_just_being_loaded_does_not_get_away() -> None:
    for _ in range(20):
        family = Family()
        process = subprocess.Popen(["sleep", "60"], env=family.environment, start_new_session=True)
        family.kill()
        assert process.wait() == -9


def test_a_guard_that_is_told_that_all_is_over_ends_nothing() -> None:
    family = Family()
    with start(family) as child:
        with family.guard(child.pid):
            pass
        assert child.poll() is None

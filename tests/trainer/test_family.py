from __future__ import annotations

import subprocess

from trainer.family import Family


def test_a_family_is_found_and_ended_and_nobody_else() -> None:
    ours, others = Family(), Family()
    processes = [
        subprocess.Popen(["sleep", "60"], env=family.environment, start_new_session=True)
        for family in (ours, ours, others)
    ]
    try:
        assert sorted(ours.find()) == sorted(process.pid for process in processes[:2])
        ours.kill()
        assert [process.wait() for process in processes[:2]] == [-9, -9]
        assert ours.find() == []
        assert others.find() == [processes[2].pid]
    finally:
        others.kill()
        processes[2].wait()


def test_a_guard_that_is_told_that_all_is_over_ends_nothing() -> None:
    family = Family()
    with subprocess.Popen(["sleep", "60"], env=family.environment, start_new_session=True) as child:
        with family.guard(child.pid):
            pass
        assert child.poll() is None
        family.kill()

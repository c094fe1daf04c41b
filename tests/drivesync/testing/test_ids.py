from __future__ import annotations

from drivesync.testing.ids import seeded_ids


def test_seeded_ids_repeat_and_look_like_drives() -> None:
    one, other = seeded_ids(5), seeded_ids(5)
    ids = [one() for _ in range(50)]
    assert ids == [other() for _ in range(50)]
    assert len(set(ids)) == 50
    assert {len(file_id) for file_id in ids} == {33}

"""Which files come from packs, and which ranges are read for them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.files import RemoteFile
from drivesync.pulling.manifest import Manifest, Member, Pack, tar_bytes
from drivesync.pulling.packed import NO_PACKS, FromPack, Packed, plan_ranges
from drivesync.pulling.plan import plan_pull

MD5, OTHER_MD5 = "a" * 32, "b" * 32


def pack_of(*sizes: int, name: str = "0") -> Pack:
    """A pack of files of these sizes, called 0, 1, 2..., as a tar has them."""
    members: list[Member] = []
    at = 0
    for number, size in enumerate(sizes):
        members.append(Member(f"data/{number}", size, MD5, f"{name}-{number}", at + 512))
        at += tar_bytes(size)
    return Pack(name * 32 + ".tar", at + 1024, MD5, f"pack-{name}", tuple(members))


def file_of(member: Member) -> RemoteFile:
    return RemoteFile(member.path, member.file_id, member.size, member.md5, 0.0)


ONE, TWO = pack_of(10, 20, 30, name="1"), pack_of(5, name="2")
PACKED = Packed(Manifest((ONE, TWO)))
FILE = file_of(ONE.members[1])


@pytest.mark.parametrize(
    ("file", "found"),
    [
        pytest.param(FILE, (ONE, ONE.members[1]), id="as it was packed"),
        pytest.param(replace(FILE, path="elsewhere/x"), (ONE, ONE.members[1]), id="moved since"),
        pytest.param(replace(FILE, md5=OTHER_MD5), None, id="changed since"),
        pytest.param(replace(FILE, size=21), None, id="of another size"),
        pytest.param(replace(FILE, id="another"), None, id="another file with the same content"),
        pytest.param(replace(FILE, md5=""), None, id="a file without a checksum"),
    ],
)
def test_a_file_comes_from_a_pack_if_it_is_still_the_same(
    file: RemoteFile, found: tuple[Pack, Member] | None
) -> None:
    assert PACKED.match(file) == found
    assert NO_PACKS.match(file) is None


def test_both_contents_of_a_changed_file_are_known() -> None:
    changed = replace(TWO.members[0], file_id=FILE.id, md5=OTHER_MD5)
    later = replace(TWO, members=(changed,))
    packed = Packed(Manifest((ONE, later)))
    assert packed.match(FILE) == (ONE, ONE.members[1])
    assert packed.match(file_of(changed)) == (later, changed)


def test_a_content_that_is_in_two_packs_is_read_from_the_first() -> None:
    assert Packed(Manifest((replace(ONE, name="x"), ONE))).match(FILE) == (
        replace(ONE, name="x"),
        ONE.members[1],
    )


def test_a_plan_tells_what_comes_from_packs() -> None:
    single = RemoteFile("single", "single", 1, MD5, 0.0)
    files = [file_of(TWO.members[0]), *map(file_of, reversed(ONE.members)), single]
    plan = plan_pull(files, {}, {}, packed=PACKED)
    assert set(plan.download) == set(files)
    assert plan.packed == (
        *(FromPack(file_of(member), ONE, member) for member in ONE.members),
        FromPack(file_of(TWO.members[0]), TWO, TWO.members[0]),
    )
    assert plan_pull(files, {}, {}).packed == ()


MIXED = pack_of(1000, 1000, 0, 1000, 5000, 1000, 1000, 1000)
"""Contents begin at 512, 2048, 3584, 4096, 5632, 11264, 12800 and 14336."""


@pytest.mark.parametrize(
    ("wanted", "near_bytes", "ranges"),
    [
        pytest.param([], 0, [], id="nothing"),
        pytest.param([2], 0, [], id="an empty file"),
        pytest.param([*range(8)], 0, [(512, 15335)], id="all of it"),
        pytest.param([0, 4, 7], 0, [(512, 15335)], id="half of it"),
        pytest.param([4], 0, [(5632, 10631)], id="less than half"),
        pytest.param([7, 0], 0, [(512, 1511), (14336, 15335)], id="two far apart"),
        pytest.param([1, 0, 1], 535, [(512, 1511), (2048, 3047)], id="just too far apart"),
        pytest.param([1, 0, 1], 536, [(512, 3047)], id="near enough"),
    ],
)
def test_only_what_is_wanted_is_read(
    wanted: list[int], near_bytes: int, ranges: list[tuple[int, int]]
) -> None:
    members = [MIXED.members[number] for number in wanted]
    assert plan_ranges(MIXED, members, near_bytes=near_bytes) == tuple(ranges)


@given(
    st.lists(st.integers(0, 3000), max_size=30),
    st.integers(0, 5000),
    st.data(),
)
def test_every_wanted_member_lies_whole_in_one_range(
    sizes: list[int], near: int, data: st.DataObject
) -> None:
    pack = pack_of(*sizes)
    wanted = [member for member in pack.members if data.draw(st.booleans())]
    ranges = plan_ranges(pack, wanted, near_bytes=near)
    for member in (member for member in wanted if member.size):
        inside = [
            first <= member.offset and member.offset + member.size - 1 <= last for first, last in ranges
        ]
        assert sum(inside) == 1
    assert all(0 <= first <= last < pack.size for first, last in ranges)
    assert all(one[1] + near < other[0] - 1 for one, other in pairwise(ranges))
    ends = {member.offset for member in wanted}, {member.offset + member.size - 1 for member in wanted}
    assert all(first in ends[0] and last in ends[1] for first, last in ranges)

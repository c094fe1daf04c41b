"""Members are read in few requests and cut out of what arrives, however it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.pulling import pieces
from drivesync.pulling.manifest import Member, Pack
from drivesync.pulling.pieces import (
    CONNECTIONS,
    MOST_CONNECTIONS,
    Awaited,
    Cutter,
    Piece,
    count_connections,
    plan_pieces,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MD5 = "0" * 32


def pack_of(sizes: Sequence[int], *, gap_bytes: int = 512) -> Pack:
    members: list[Member] = []
    at = gap_bytes
    for number, size in enumerate(sizes):
        members.append(Member(str(number), size, MD5, f"id{number}", at))
        at += size + gap_bytes
    return Pack(f"{MD5}.tar", at, MD5, "pack", tuple(members))


class TestPieces:
    def test_all_of_it_in_as_few_as_are_read_side_by_side(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pieces, "_PIECE_BYTES", 3000)
        pack = pack_of([1000] * 5)
        planned = plan_pieces(pack, pack.members)
        assert [(piece.first, piece.last) for piece in planned] == [(512, 3023), (3536, 6047), (6560, 7559)]
        assert [member for piece in planned for member in piece.members] == list(pack.members)

    def test_one_that_is_larger_than_a_piece_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pieces, "_PIECE_BYTES", 100)
        pack = pack_of([1000, 10])
        assert [len(piece.members) for piece in plan_pieces(pack, pack.members)] == [1, 1]

    def test_what_is_not_wanted_is_not_read(self) -> None:
        pack = pack_of([4 << 20] * 5)
        wanted = [pack.members[4], pack.members[0]]
        assert [piece.members for piece in plan_pieces(pack, wanted)] == [
            (pack.members[0],),
            (pack.members[4],),
        ]

    def test_empty_ones_need_none(self) -> None:
        pack = pack_of([0, 0])
        assert plan_pieces(pack, pack.members) == ()

    @given(st.lists(st.integers(0, 5000), max_size=30), st.data())
    def test_each_wanted_one_is_whole_in_one_piece(self, sizes: list[int], data: st.DataObject) -> None:
        pack = pack_of(sizes)
        wanted = data.draw(st.sets(st.sampled_from(pack.members))) if sizes else set()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "_PIECE_BYTES", 4000)
            planned = plan_pieces(pack, wanted)
        assert [member for piece in planned for member in piece.members] == [
            member for member in pack.members if member in wanted and member.size
        ]
        for piece in planned:
            assert piece.first == piece.members[0].offset
            assert piece.last == piece.members[-1].offset + piece.members[-1].size - 1


@pytest.mark.parametrize(
    ("member_bytes", "connections"),
    [
        pytest.param(100, CONNECTIONS, id="labels"),
        pytest.param(20_000, CONNECTIONS, id="small images"),
        pytest.param(40_000, 4, id="larger ones"),
        pytest.param(500_000, MOST_CONNECTIONS, id="large ones"),
    ],
)
def test_the_larger_the_files_the_more_connections_feed_the_disk(member_bytes: int, connections: int) -> None:
    assert count_connections(pack_of([member_bytes] * 10, gap_bytes=0)) == connections
    assert count_connections(pack_of([])) == CONNECTIONS


class TestAwaited:
    def test_a_piece_is_begun_when_all_of_it_is_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pieces, "_PIECE_BYTES", 3000)
        first, second, third, empty = (pack := pack_of([1000, 1000, 1000, 0])).members
        awaited = Awaited[str](pack)
        assert awaited.add(third, "c") is not None  # a piece of its own
        assert awaited.add(second, "b") is None
        assert awaited.add(second, "b again") is None
        assert awaited.add(empty, "d") is None
        job = awaited.add(first, "a")
        assert job is not None
        assert job.piece.members == (first, second)
        assert job.wanted == {first: ["a"], second: ["b", "b again"]}
        assert awaited.add(second, "b, late") is None
        assert [(job.piece.members, job.wanted) for job in awaited.rest()] == [
            ((second,), {second: ["b, late"]}),
            ((empty,), {empty: ["d"]}),
        ]
        assert awaited.rest() == []

    @given(st.lists(st.integers(0, 3000), min_size=1, max_size=20), st.data())
    def test_in_any_order_each_comes_once(self, sizes: list[int], data: st.DataObject) -> None:
        pack = pack_of(sizes)
        wanted = data.draw(st.lists(st.sampled_from(pack.members), max_size=40))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "_PIECE_BYTES", 4000)
            awaited = Awaited[int](pack)
            begun = [awaited.add(member, number) for number, member in enumerate(wanted)]
            jobs = [*(job for job in begun if job is not None), *awaited.rest()]
        came = [
            (number, member) for job in jobs for member in job.piece.members for number in job.wanted[member]
        ]
        assert sorted(came) == list(enumerate(wanted))
        for job in jobs:
            assert [*job.wanted] == [*job.piece.members]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20)), min_size=1, max_size=12),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_however_the_bytes_arrive_the_members_are_the_same(
    layout: list[tuple[int, int]], blocks: list[int]
) -> None:
    whole, members = bytearray(), []
    for number, (size, gap) in enumerate(layout):
        members.append(Member("x", size, MD5, "id", len(whole)))
        whole += bytes([number]) * size + b"\xff" * gap
    taken: list[tuple[Member, bytes]] = []
    piece = Piece(Pack(f"{MD5}.tar", len(whole), MD5, "id", tuple(members)), 0, 0, tuple(members))
    cutter = Cutter(piece, lambda member, content: taken.append((member, bytes(content))))
    at = 0
    while at < len(whole):
        for size in blocks:
            cutter.write(bytes(whole[at : at + size]))
            at += size
            assert [*(member for member, _ in taken), *cutter.missing] == members
    assert taken == [(member, bytes([number]) * member.size) for number, member in enumerate(members)]

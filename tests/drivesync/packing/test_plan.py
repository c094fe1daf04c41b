"""What is packed, what stays and what goes, decided by tables and by chance."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.files import RemoteFile
from drivesync.packing.plan import DEFAULT_LIMITS, PackingLimits, PackingPlan, plan_packing
from drivesync.pulling.manifest import Manifest, Member, Pack, tar_bytes
from drivesync.pulling.packed import Packed

LIMITS = PackingLimits(
    most_file_bytes=10_000, aim_bytes=20_000, small_pack_bytes=10_000, most_small_packs=2, most_files=1000
)
OLD, NEW = "0" * 32, "1" * 32


def file(number: int, size: int = 1000, md5: str = OLD) -> RemoteFile:
    return RemoteFile(f"data/{number:05}", f"id{number}", size, md5, 0.0)


def pack(*files: RemoteFile, name: int = 0) -> Pack:
    """What a packing makes of ``files``."""
    members: list[Member] = []
    at = 0
    for one in files:
        members.append(Member(one.path, one.size, one.md5, one.id, at + 512))
        at += tar_bytes(one.size)
    return Pack(f"{name:032x}.tar", at + 1024, OLD, f"pack{name}", tuple(members))


def execute(plan: PackingPlan, name: int = 100) -> Manifest:
    return Manifest((*plan.keep, *(pack(*files, name=name + at) for at, files in enumerate(plan.new))))


TEN = [file(number) for number in range(10)]


def test_what_is_new_is_packed_in_the_order_of_paths() -> None:
    large, empty, unknown = file(90, 10_001), file(91, 0), replace(file(92), md5="")
    plan = plan_packing([large, empty, unknown, *reversed(TEN)], Manifest(), LIMITS)
    assert plan == PackingPlan((tuple(TEN),), (), (), 0, 0.0, rewrite=False)
    assert (plan.new_files, plan.new_bytes) == (10, 10 * 1536)


@pytest.mark.parametrize("size", [20_000, 500_000, 1 << 20])
def test_packs_are_of_32_to_128_megabytes_where_there_is_enough(size: int) -> None:
    files = [file(number, size) for number in range(3 * DEFAULT_LIMITS.aim_bytes // size)]
    for count in (len(files), len(files) // 2 + 1, len(files) * 5 // 6):
        new = plan_packing(files[:count], Manifest(), replace(DEFAULT_LIMITS, most_files=10**9)).new
        assert sum(new, ()) == tuple(files[:count])
        for one in new:
            assert 32 << 20 <= pack(*one).size <= 128 << 20


def test_a_file_that_shortcuts_show_twice_is_packed_once() -> None:
    plan = plan_packing([*TEN, replace(TEN[3], path="link")], Manifest(), LIMITS)
    assert plan.new_files == 10


def test_one_new_file_comes_as_fast_singly() -> None:
    assert plan_packing(TEN[:1], Manifest(), LIMITS).is_empty
    assert not plan_packing(TEN[:2], Manifest(), LIMITS).is_empty


def test_what_is_not_here_is_left_out_and_told() -> None:
    plan = plan_packing(TEN, Manifest(), LIMITS, is_here=lambda one: one is not TEN[4])
    assert plan.new == ((*TEN[:4], *TEN[5:]),)
    assert plan.absent == 1


def test_there_is_a_bound_on_all_that_is_packed() -> None:
    plan = plan_packing(
        [*TEN, file(10), file(11), file(12)], Manifest((pack(*TEN),)), replace(LIMITS, most_files=12)
    )
    assert plan.new == ((file(10), file(11)),)


CHANGED = [file(number, md5=NEW) for number in range(10)]
THREE_PACKS = Manifest(tuple(pack(*TEN[at : at + 3], name=at) for at in (0, 3, 6)))


@pytest.mark.parametrize(
    ("files", "manifest", "new", "kept", "rewrite"),
    [
        pytest.param(TEN, Manifest((pack(*TEN),)), [], 1, False, id="all is packed"),
        pytest.param(
            [replace(one, path=f"moved/{one.path}") for one in TEN],
            Manifest((pack(*TEN),)),
            [],
            1,
            False,
            id="moved and renamed: all is packed still",
        ),
        pytest.param(
            [*CHANGED[:2], *TEN[2:]], Manifest((pack(*TEN),)), CHANGED[:2], 1, False, id="a fifth has changed"
        ),
        pytest.param(TEN[2:], Manifest((pack(*TEN),)), [], 1, False, id="a fifth is deleted"),
        pytest.param(TEN[3:], Manifest((pack(*TEN),)), TEN[3:], 0, True, id="more than a quarter is deleted"),
        pytest.param(
            [*CHANGED[:3], *TEN[3:]],
            Manifest((pack(*TEN),)),
            [*CHANGED[:3], *TEN[3:]],
            0,
            True,
            id="more than a quarter has changed",
        ),
        pytest.param(
            TEN[5:],
            Manifest((pack(*TEN[:5]), pack(*TEN[5:], name=1))),
            [],
            1,
            False,
            id="a pack of which nothing lives goes, without others being written anew",
        ),
        pytest.param([], Manifest((pack(*TEN),)), [], 0, False, id="nothing is left"),
        pytest.param(
            [file(one) for one in (0, 1, 2, 3, 4, 5, 6, 10)],
            Manifest((pack(*TEN[:5]), pack(*TEN[5:], *(file(one) for one in range(10, 14)), name=1))),
            [file(5), file(6), file(10)],
            1,
            True,
            id="of two packs only the one that is half dead is written anew",
        ),
        pytest.param(TEN, THREE_PACKS, TEN, 0, True, id="many small packs become one"),
        pytest.param(TEN[:6], Manifest(THREE_PACKS.packs[:2]), [], 2, False, id="two small ones stay"),
        pytest.param(
            [*TEN[:6], file(20), file(21)],
            Manifest(THREE_PACKS.packs[:2]),
            [*TEN[:6], file(20), file(21)],
            0,
            True,
            id="two small ones and a new one become one",
        ),
        pytest.param(TEN, Manifest((pack(*TEN), pack(*TEN, name=1))), [], 1, False, id="packed twice"),
    ],
)
def test_what_changes_makes_new_packs(
    files: list[RemoteFile], manifest: Manifest, new: list[RemoteFile], kept: int, *, rewrite: bool
) -> None:
    limits = replace(LIMITS, small_pack_bytes=6_000)
    plan = plan_packing(files, manifest, limits)
    assert sum(plan.new, ()) == tuple(new)
    assert (len(plan.keep), plan.rewrite) == (kept, rewrite)
    assert {*plan.keep, *plan.drop} == {*manifest.packs}
    assert not {*plan.keep} & {*plan.drop}


def test_a_pack_whose_files_are_not_all_here_is_not_written_anew() -> None:
    manifest = Manifest((pack(*TEN),))
    plan = plan_packing(TEN[5:], manifest, LIMITS, is_here=lambda one: one is not TEN[7])
    assert (plan.new, plan.keep, plan.dead_share, plan.rewrite) == ((), manifest.packs, 0.5, False)


def _is_among(ids: set[str], one: RemoteFile) -> bool:
    return one.id in ids


@settings(max_examples=50)
@given(st.data())
def test_whatever_happens_to_a_tree_packing_it_again_settles_it(data: st.DataObject) -> None:
    sizes = st.integers(0, 12_000)
    tree = {number: file(number, data.draw(sizes)) for number in range(data.draw(st.integers(0, 25)))}
    manifest = Manifest()
    for step in range(data.draw(st.integers(1, 5))):
        here = {number for number in tree if data.draw(st.integers(0, 9)) > 0}
        ids = {tree[number].id for number in here}
        plan = plan_packing(tree.values(), manifest, LIMITS, is_here=partial(_is_among, ids))
        before, manifest = manifest, execute(plan, 100 * (step + 1))
        packed, was = Packed(manifest), Packed(before)
        for number, one in tree.items():
            # Nothing is lost that was packed, and what can be packed is, but for a single one.
            assert packed.match(one) or not was.match(one) or plan.new_files == 0
            if number in here and 0 < one.size <= LIMITS.most_file_bytes:
                assert packed.match(one) or plan.new_files == 0
        assert {*plan.keep, *plan.drop} == {*before.packs}
        if here == set(tree):
            again = plan_packing(tree.values(), manifest, LIMITS)
            assert again.is_empty
            assert again.dead_share <= LIMITS.most_dead_share
        for number in list(tree):
            fate = data.draw(st.sampled_from(["stay", "stay", "change", "delete", "move"]))
            if fate == "change":
                tree[number] = replace(tree[number], md5=data.draw(st.sampled_from([OLD, NEW])))
            elif fate == "delete":
                del tree[number]
            elif fate == "move":
                tree[number] = replace(tree[number], path=f"moved/{number}")
        start = 30 * (step + 1)
        tree |= {start + at: file(start + at, data.draw(sizes)) for at in range(data.draw(st.integers(0, 5)))}

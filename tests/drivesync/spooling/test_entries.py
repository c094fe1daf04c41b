"""What goes first, what is replaced, what stays: tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.files import LocalFile, Role
from drivesync.spooling.entries import Entry, find_older, find_superfluous, order_pending

if TYPE_CHECKING:
    from random import Random


def entry(sequence: int, name: str, *, run: str = "r", pushed: bool = False, direct: bool = False) -> Entry:
    """``entry(3, "last 100")``: the third that was taken, of iteration 100 and the role that its name says."""
    kind, _, number = name.partition(" ")
    iteration = int(number) if number else None
    path = f"{run}_{number}" if kind == "numbered" else f"{run}_{kind}"
    return Entry(
        sequence, path, 10, 1, iteration, run, Role(kind), None, pushed=pushed, dropped=False, direct=direct
    )


def counted(longer: Entry, images: int) -> Entry:
    """Of iterations of so many images."""
    return replace(longer, progress=images * (longer.iteration or 0))


def named(entries: tuple[Entry, ...]) -> list[int]:
    return [each.sequence for each in entries]


def test_the_file_it_was_taken_from() -> None:
    assert entry(1, "last 100").source == LocalFile("r_last", 10, 1)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([], [], id="nothing waits"),
        pytest.param(
            [entry(1, "numbered 300"), entry(2, "last 200"), entry(3, "final 100")],
            [3, 2, 1],
            id="a result before the last state, and that before all others",
        ),
        pytest.param(
            [entry(1, "numbered 100"), entry(2, "best 300"), entry(3, "numbered 200")],
            [2, 3, 1],
            id="of the others the furthest first",
        ),
        pytest.param(
            [entry(1, "other"), entry(2, "numbered 0"), entry(3, "other", run="s")],
            [2, 3, 1],
            id="no checkpoints come last, the newest of them first",
        ),
        pytest.param(
            [entry(1, "last 100"), entry(2, "last 100", run="s")],
            [2, 1],
            id="of equals the newest first",
        ),
        pytest.param(
            [entry(1, "last 300"), entry(2, "last 100")],
            [1, 2],
            id="the further one of two of a name, which was taken before a training was started over",
        ),
        pytest.param(
            [
                entry(1, "final 100"),
                entry(2, "last 900"),
                entry(3, "final 200"),
                entry(4, "final 150", run="s"),
            ],
            [1, 3, 4, 2],
            id="of two results of one name the older first, so that the newer is what stays",
        ),
        pytest.param(
            [entry(3, "numbered 100"), entry(2, "numbered 200"), entry(1, "numbered 100")],
            [2, 1, 3],
            id="of two numbered ones of one name the older first",
        ),
        pytest.param(
            [counted(entry(1, "numbered 900"), 4), counted(entry(2, "numbered 500"), 8)],
            [2, 1],
            id="the furthest is that which learned from most, however long its iterations",
        ),
        pytest.param(
            [entry(1, "numbered 900"), counted(entry(2, "numbered 500"), 8), entry(3, "numbered 950")],
            [2, 3, 1],
            id="what an earlier version took, and nobody can measure, comes after",
        ),
        pytest.param(
            [
                entry(1, "last 100", pushed=True),
                replace(entry(2, "last 200"), dropped=True),
                entry(3, "best 1", direct=True),
            ],
            [3],
            id="what is pushed or dropped waits no more",
        ),
    ],
)
def test_order(entries: list[Entry], expected: list[int]) -> None:
    assert named(order_pending(entries)) == expected


@pytest.mark.parametrize(
    ("entries", "claimed", "expected"),
    [
        pytest.param([entry(1, "last 100"), entry(2, "last 200")], 0, [1], id="a newer one of its name"),
        pytest.param([entry(1, "last 100"), entry(2, "last 200")], 1, [], id="not while it is being pushed"),
        pytest.param(
            [entry(number, "last 100", run=str(number)) for number in (1, 2)], 0, [], id="two names are two"
        ),
        pytest.param(
            [entry(1, "numbered 100"), entry(2, "numbered 100"), entry(3, "final 9"), entry(4, "final 9")],
            0,
            [],
            id="numbered ones and results are never replaced",
        ),
        pytest.param(
            [entry(1, "last 100", pushed=True)], 0, [], id="the newest checkpoint stays, pushed as it is"
        ),
        pytest.param(
            [replace(entry(1, "last 100"), dropped=True)],
            0,
            [],
            id="the newest checkpoint stays, dropped or not",
        ),
        pytest.param(
            [entry(1, "last 100", pushed=True), entry(2, "numbered 100", pushed=True)],
            0,
            [1],
            id="of two of one iteration the one that was taken later",
        ),
        pytest.param(
            [entry(1, "last 300", pushed=True), entry(2, "last 100")],
            0,
            [],
            id="the newest is the furthest, and not what took its name",
        ),
        pytest.param(
            [counted(entry(1, "last 300", pushed=True), 4), counted(entry(2, "last 200", pushed=True), 8)],
            0,
            [1],
            id="however long its iterations are",
        ),
        pytest.param(
            [entry(1, "last 300", pushed=True), entry(2, "last 100", run="s", pushed=True)],
            0,
            [],
            id="each run has a newest",
        ),
        pytest.param(
            [entry(1, "last 100", pushed=True), entry(2, "other 300", pushed=True)],
            0,
            [2],
            id="and it is one that training can go on from",
        ),
        pytest.param(
            [entry(1, "other", pushed=True), replace(entry(2, "other", run="s"), dropped=True)],
            0,
            [1, 2],
            id="what is no checkpoint goes as soon as it does not wait",
        ),
        pytest.param(
            [entry(1, "best 100"), entry(2, "last 200"), entry(3, "best 150", direct=True)],
            0,
            [],
            id="a direct one, which may be gone any moment, replaces no snapshot",
        ),
        pytest.param(
            [entry(1, "last 100", direct=True), entry(2, "last 200", direct=True)],
            0,
            [1],
            id="a direct one replaces a direct one",
        ),
        pytest.param(
            [entry(1, "last 100", direct=True), entry(2, "last 200")],
            0,
            [1],
            id="a snapshot replaces a direct one",
        ),
        pytest.param(
            [entry(1, "last 100"), entry(2, "last 200", direct=True, pushed=True)],
            0,
            [2],
            id="a direct one that is pushed is no copy that could stay",
        ),
    ],
)
def test_superfluous(entries: list[Entry], claimed: int, expected: list[int]) -> None:
    assert named(find_superfluous(entries, claimed)) == expected
    # The order in which a folder is read means nothing.
    assert sorted(named(find_superfluous(entries[::-1], claimed))) == expected


def test_older_ones_of_its_name() -> None:
    pushed = entry(5, "last 100", direct=True)
    entries = [
        entry(1, "last 50"),
        entry(2, "last 40", pushed=True),
        entry(3, "best 50"),
        pushed,
        entry(6, "last 200"),
    ]
    assert named(find_older(entries, pushed)) == [1]
    assert find_older([entry(1, "final 50")], entry(2, "final 60")) == ()


@st.composite
def spools(draw: st.DrawFn) -> list[Entry]:
    """Whatever may be in a spool, in any order."""
    names = st.sampled_from(["last", "best", "numbered", "final", "other"])
    fates = st.sampled_from(["pending", "pushed", "dropped"])
    drawn = draw(
        st.lists(st.tuples(names, st.integers(1, 3), st.sampled_from("rs"), fates, st.booleans()), max_size=8)
    )
    made = [
        replace(
            entry(sequence, name if name == "other" else f"{name} {100 * number}", run=run, direct=direct),
            pushed=fate == "pushed",
            dropped=fate == "dropped",
        )
        for sequence, (name, number, run, fate, direct) in enumerate(drawn, 1)
    ]
    return draw(st.permutations(made))


@given(spools())
def test_what_goes_is_replaced_or_done_with_and_the_newest_stays(entries: list[Entry]) -> None:
    gone = find_superfluous(entries)
    left = [each for each in entries if each not in gone]
    for each in gone:
        newer = [other for other in entries if other.path == each.path and other.sequence > each.sequence]
        assert not each.pending or any(each.direct or not other.direct for other in newer)
        assert not (each.pending and each.role in {Role.NUMBERED, Role.FINAL})
    for run in "rs":
        checkpoints = [
            each for each in entries if each.run == run and each.iteration is not None and not each.direct
        ]
        if checkpoints:
            assert max(checkpoints, key=lambda each: (each.iteration or 0, each.sequence)) in left
    assert find_superfluous(left) == ()


@given(spools(), st.randoms())
def test_the_order_is_one_whatever_it_is_made_from(entries: list[Entry], random: Random) -> None:
    ordered = order_pending(entries)
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert order_pending(shuffled) == ordered
    assert set(ordered) == {each for each in entries if each.pending}
    for first, second in pairwise(each for each in ordered if each.role in {Role.NUMBERED, Role.FINAL}):
        if first.path == second.path:
            assert first.sequence < second.sequence

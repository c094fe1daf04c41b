"""What a pull would do, decided by tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.files import LocalFile, RemoteFile, Skipped
from drivesync.plan import plan_pull, resolve_names

OLD, NEW = "0" * 32, "1" * 32


def there(path: str = "a", md5: str = NEW, size: int = 1, at_s: float = 0.0, name: str = "id") -> RemoteFile:
    return RemoteFile(path=path, id=name, size=size, md5=md5, modified_s=at_s)


def here(md5: str = "", size: int = 1, mtime_ns: int = 5, path: str = "a") -> LocalFile:
    return LocalFile(path, size, mtime_ns, md5)


@pytest.mark.parametrize(
    ("local", "synced", "outcome"),
    [
        pytest.param(None, None, "download", id="not here"),
        pytest.param(None, here(OLD), "download", id="deleted here: what Drive has comes back"),
        pytest.param(here(NEW), None, "keep", id="here already, by whatever way"),
        pytest.param(here(NEW), here(NEW), "keep", id="pulled before"),
        pytest.param(here(OLD), here(OLD), "download", id="changed on Drive, not here"),
        pytest.param(here(OLD, mtime_ns=9), here(OLD), "conflict", id="changed here and on Drive"),
        pytest.param(here(OLD, size=2), here(OLD), "conflict", id="grown here"),
        pytest.param(here(OLD), None, "conflict", id="never pulled and different"),
        pytest.param(here("", size=7), None, "conflict", id="of another size: not even hashed"),
        pytest.param(here("", mtime_ns=9), here(NEW), "conflict", id="of unknown content: kept"),
        pytest.param(here(NEW, mtime_ns=9), here(OLD), "keep", id="changed here to what Drive has"),
        pytest.param(here(NEW, size=2), None, "conflict", id="same md5 of another size is no match"),
    ],
)
def test_one_file(local: LocalFile | None, synced: LocalFile | None, outcome: str) -> None:
    plan = plan_pull([there()], {"a": local} if local else {}, {"a": synced} if synced else {})
    assert [len(plan.download), len(plan.keep), len(plan.conflicts)] == [
        outcome == "download",
        outcome == "keep",
        outcome == "conflict",
    ]


def test_what_is_only_here_stays_out_of_the_plan() -> None:
    plan = plan_pull([], {"mine": here(OLD, path="mine")}, {"mine": here(OLD, path="mine")})
    assert (plan.download, plan.keep, plan.conflicts, plan.skipped) == ((), (), (), ())


def test_everything_is_sorted_by_path() -> None:
    listing: list[RemoteFile | Skipped] = [
        there("b", size=3),
        Skipped("z", "why"),
        there("a/c", size=4),
        Skipped("y", "why"),
    ]
    plan = plan_pull(listing, {}, {})
    assert [file.path for file in plan.download] == ["a/c", "b"]
    assert [entry.path for entry in plan.skipped] == ["y", "z"]
    assert plan.download_bytes == 7


@pytest.mark.parametrize(
    ("listing", "chosen", "skipped"),
    [
        pytest.param(
            [there(at_s=1, name="old"), there(at_s=2, name="new")], {"a": "new"}, ["a"], id="newer of two"
        ),
        pytest.param(
            [there(at_s=2, name="new"), there(at_s=1, name="old")], {"a": "new"}, ["a"], id="in any order"
        ),
        pytest.param(
            [there(name="x"), there(name="z"), there(name="y")], {"a": "z"}, ["a", "a"], id="id breaks ties"
        ),
        pytest.param(
            [there("a"), there("a/b")], {"a/b": "id"}, ["a"], id="a folder goes before a file of its name"
        ),
        pytest.param([there("a/b/c"), there("a")], {"a/b/c": "id"}, ["a"], id="also two levels up"),
        pytest.param([there("ab"), there("a/b")], {"ab": "id", "a/b": "id"}, [], id="a prefix is no folder"),
        pytest.param([there(".drivesync/index.sqlite"), there(".drivesync")], {}, [], id="our own state"),
        pytest.param(
            [there("sub/.drivesync/x")], {"sub/.drivesync/x": "id"}, [], id="further down it is not ours"
        ),
        pytest.param([Skipped("doc", "why")], {}, ["doc"], id="what is no file is told"),
    ],
)
def test_resolve_names(
    listing: list[RemoteFile | Skipped], chosen: dict[str, str], skipped: list[str]
) -> None:
    files, left = resolve_names(listing)
    assert {path: file.id for path, file in files.items()} == chosen
    assert [entry.path for entry in left] == skipped
    assert all(entry.reason for entry in left)


PATHS = st.sampled_from(["a", "a/b", "b", "c/d/e", "c/d", "c"])
FILES = st.builds(
    RemoteFile,
    path=PATHS,
    id=st.sampled_from("xyz"),
    size=st.integers(0, 2),
    md5=st.sampled_from([OLD, NEW]),
    modified_s=st.floats(0, 3),
)
LOCALS = st.dictionaries(PATHS, st.builds(here, md5=st.sampled_from(["", OLD, NEW])))


@given(st.lists(FILES), LOCALS, LOCALS)
def test_each_path_meets_one_fate(
    listing: list[RemoteFile], local: dict[str, LocalFile], synced: dict[str, LocalFile]
) -> None:
    plan = plan_pull(listing, local, synced)
    fates = [file.path for part in (plan.download, plan.keep, plan.conflicts) for file in part]
    assert len(fates) == len(set(fates))
    assert set(fates) | {entry.path for entry in plan.skipped} == {file.path for file in listing}
    assert not any(one != two and two.startswith(f"{one}/") for one in fates for two in fates)
    for file in plan.download:
        assert (
            file.path not in local
            or local[file.path] == synced.get(file.path)
            or (
                (local[file.path].size, local[file.path].mtime_ns)
                == (synced[file.path].size, synced[file.path].mtime_ns)
            )
        )

"""What a pull would do, decided by tables."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.files import Entry, LocalFile, Page, RemoteFile, RemoteFolder, Skipped
from drivesync.pulling.plan import Chooser, missing_ranges, plan_pull, start_order

OLD, NEW = "0" * 32, "1" * 32


def there(
    path: str = "a", md5: str = NEW, size: int = 1, name: str = "id", revision_id: str = ""
) -> RemoteFile:
    return RemoteFile(path=path, id=name, size=size, md5=md5, modified_s=0.0, revision_id=revision_id)


def here(md5: str = "", size: int = 1, mtime_ns: int = 5, path: str = "a", rev: str = "") -> LocalFile:
    return LocalFile(path, size, mtime_ns, md5, rev)


@pytest.mark.parametrize(
    ("local", "synced", "outcome"),
    [
        pytest.param(None, None, "download", id="not here"),
        pytest.param(None, here(OLD), "download", id="deleted here: what the remote has comes back"),
        pytest.param(here(NEW), None, "keep", id="here already, by whatever way"),
        pytest.param(here(NEW), here(NEW), "keep", id="pulled before"),
        pytest.param(here(OLD), here(OLD), "download", id="changed there, not here"),
        pytest.param(here(OLD, mtime_ns=9), here(OLD), "conflict", id="changed here and there"),
        pytest.param(here(OLD, size=2), here(OLD), "conflict", id="grown here"),
        pytest.param(here(OLD), None, "conflict", id="never pulled and different"),
        pytest.param(here("", size=7), None, "conflict", id="of another size: not even hashed"),
        pytest.param(here("", mtime_ns=9), here(NEW), "conflict", id="of unknown content: kept"),
        pytest.param(here(NEW, mtime_ns=9), here(OLD), "keep", id="changed here to what is there"),
        pytest.param(here(NEW, size=2), None, "conflict", id="same md5 of another size is no match"),
    ],
)
class TestOneFile:
    def test_its_fate(self, local: LocalFile | None, synced: LocalFile | None, outcome: str) -> None:
        assert fate(there(), local, synced) == outcome

    def test_theirs_turns_conflicts_into_downloads(
        self, local: LocalFile | None, synced: LocalFile | None, outcome: str
    ) -> None:
        expected = "download" if outcome == "conflict" else outcome
        assert fate(there(), local, synced, theirs=True) == expected

    def test_old_is_left_only_where_it_is_not_here(
        self, local: LocalFile | None, synced: LocalFile | None, outcome: str
    ) -> None:
        assert fate(there(), local, synced, old=True) == ("left" if local is None else outcome)


@pytest.mark.parametrize(
    ("revision_id", "local", "synced", "outcome"),
    [
        pytest.param("r1", None, None, "download", id="not here"),
        pytest.param("r1", here(OLD, rev="r1"), here(OLD, rev="r1"), "keep", id="pulled in this revision"),
        pytest.param("r2", here(OLD, rev="r1"), here(OLD, rev="r1"), "download", id="in another since"),
        pytest.param("", here(OLD), here(OLD), "download", id="no revisions: nothing says it is the same"),
        pytest.param("r1", here(OLD, mtime_ns=9), here(OLD, rev="r1"), "conflict", id="changed here"),
        pytest.param("r1", here(OLD), None, "conflict", id="never pulled"),
        pytest.param("r1", here(OLD, size=2), here(OLD, size=2, rev="r1"), "download", id="another size"),
    ],
)
def test_a_remote_that_tells_no_checksum_is_compared_by_revision(
    revision_id: str, local: LocalFile | None, synced: LocalFile | None, outcome: str
) -> None:
    assert fate(there(md5="", revision_id=revision_id), local, synced) == outcome


def fate(
    file: RemoteFile,
    local: LocalFile | None,
    synced: LocalFile | None,
    *,
    theirs: bool = False,
    old: bool = False,
) -> str:
    plan = plan_pull(
        [file],
        {"a": local} if local else {},
        {"a": synced} if synced else {},
        old={"a"} if old else set(),
        theirs=theirs,
    )
    parts = {
        "download": plan.download,
        "keep": plan.keep,
        "conflict": plan.conflicts,
        "left": plan.left,
    }
    (found,) = (name for name, files in parts.items() if files)
    assert parts[found] == (file,)
    return found


def test_what_is_only_here_stays_out_of_the_plan() -> None:
    plan = plan_pull([], {"mine": here(OLD, path="mine")}, {"mine": here(OLD, path="mine")})
    assert (plan.download, plan.keep, plan.conflicts, plan.left) == ((), (), (), ())


PATHS = st.sampled_from(["a", "a/b", "b", "c/d/e", "c/d", "c"])
FILES = st.builds(
    RemoteFile,
    path=PATHS,
    id=st.sampled_from("xyz"),
    size=st.integers(0, 2),
    md5=st.sampled_from(["", OLD, NEW]),
    modified_s=st.floats(0, 3),
    revision_id=st.sampled_from(["", "r1"]),
)
LOCALS = st.dictionaries(PATHS, st.builds(here, md5=st.sampled_from(["", OLD, NEW])))


@given(st.lists(FILES, unique_by=lambda file: file.path), LOCALS, LOCALS, st.sets(PATHS))
def test_each_file_meets_one_fate_and_no_local_change_is_overwritten(
    files: list[RemoteFile], local: dict[str, LocalFile], synced: dict[str, LocalFile], old: set[str]
) -> None:
    plan = plan_pull(files, local, synced, old=old)
    for part in (plan.download, plan.keep, plan.conflicts, plan.left):
        assert list(part) == sorted(part, key=lambda file: file.path)
    fates = [*plan.download, *plan.keep, *plan.conflicts, *plan.left]
    assert sorted(fates, key=lambda file: file.path) == sorted(files, key=lambda file: file.path)
    for file in plan.download:
        mine, then = local.get(file.path), synced.get(file.path)
        assert mine is None or (then is not None and (mine.size, mine.mtime_ns) == (then.size, then.mtime_ns))


def page(*entries: Entry, ends: bool = True) -> Page:
    return Page(entries, ends)


class TestChooser:
    def test_of_twins_the_first_that_is_listed_comes(self) -> None:
        chosen = Chooser().take(page(there(name="new"), there("b"), there(name="old"), there(name="older")))
        assert [(file.path, file.id) for file in chosen.files] == [("a", "new"), ("b", "id")]
        assert [(entry.path, entry.id) for entry in chosen.skipped] == [("a", "old"), ("a", "older")]
        assert chosen.skipped[0].reason == "a newer file of the same name is beside it"

    def test_also_where_they_are_on_two_pages_of_one_folder(self) -> None:
        chooser = Chooser()
        assert chooser.take(page(there(name="new"), ends=False)).files == (there(name="new"),)
        later = chooser.take(page(there(name="old")))
        assert (later.files, [entry.id for entry in later.skipped]) == ((), ["old"])

    def test_what_is_no_file_passes_with_its_reason_and_a_folder_makes_no_file(self) -> None:
        document = Skipped("doc", "it is a Google document", "id")
        chosen = Chooser().take(page(RemoteFolder("", "root"), document, RemoteFolder("sub", "id")))
        assert (chosen.files, chosen.old, chosen.skipped) == ((), frozenset(), (document,))

    def test_memory_ends_with_the_folder(self) -> None:
        chooser = Chooser()
        for number in range(100):
            chooser.take(page(*(there(f"{number}/{name}") for name in range(100))))
        assert chooser._taken == {}

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param("data/A.txt", "data/a.txt", id="case"),
            pytest.param("Data/a.txt", "data/a.txt", id="case of a folder"),
            pytest.param("stra\u00dfe", "STRASSE", id="letters that fold to two"),
            pytest.param("\u00e9", "E\u0301", id="composed and not"),
        ],
    )
    def test_names_that_a_case_blind_disk_cannot_tell(self, one: str, other: str) -> None:
        seeing, blind = Chooser(), Chooser(case_blind=True)
        # In two folders, one listed after the other has ended.
        for chooser in (seeing, blind):
            assert chooser.take(page(there(one))).files == (there(one),)
        assert seeing.take(page(there(other))).files == (there(other),)
        chosen = blind.take(page(there(other)))
        assert chosen.files == ()
        assert chosen.skipped == (Skipped(other, f"this disk cannot tell its name from {one!r}", "id"),)

    def test_a_file_and_a_folder_that_a_case_blind_disk_cannot_tell(self) -> None:
        listed = [there("a"), there("A/x"), there("B/x"), there("b/y"), there("b")]
        assert Chooser().take(page(*listed)).files == tuple(listed)
        chosen = Chooser(case_blind=True).take(page(*listed))
        # Two folders become one, as the disk has it.
        assert [file.path for file in chosen.files] == ["a", "B/x", "b/y"]
        assert chosen.skipped == (
            Skipped("A/x", "this disk cannot tell its folder's name from 'a'", "id"),
            Skipped("b", "this disk cannot tell its name from 'B/'", "id"),
        )

    @pytest.mark.parametrize("case_blind", [False, True])
    def test_our_own_state_never_comes(self, case_blind: bool) -> None:  # noqa: FBT001
        paths = [".drivesync", ".drivesync/index.sqlite", ".Drivesync/remote.json", "sub/.drivesync/x"]
        chosen = Chooser(case_blind=case_blind).take(page(*map(there, paths)))
        mine = [".Drivesync/remote.json", "sub/.drivesync/x"]
        assert [file.path for file in chosen.files] == (mine[1:] if case_blind else mine)
        assert chosen.skipped == ()

    def test_of_a_trainings_state_comes_what_the_next_machine_is_to_know(self) -> None:
        paths = [
            ".trainer/status.json",
            ".trainer/attempts.jsonl",
            ".trainer/learned.json",
            ".trainer/run/x.cfg",
        ]
        chosen = Chooser().take(page(*map(there, paths)))
        assert [file.path for file in chosen.files] == paths[1:3]

    def test_only(self) -> None:
        listed: list[Entry] = [
            there("cfg/a.cfg"),
            there("cfgs"),
            there("data/a"),
            Skipped("data/doc", "no file"),
        ]
        chosen = Chooser(only=("cfg",)).take(page(*listed))
        assert [file.path for file in chosen.files] == ["cfg/a.cfg", "cfgs"]
        assert chosen.skipped == ()

    def test_archives_of_runs_that_were_started_over_are_left(self) -> None:
        archived = [
            "backup/archive-20261123-120000/run_last.weights",
            "backup/archive-20261123-120000/run_100.weights",
            "backup/archive-20261123-120000-2/chart.png",
        ]
        others = [
            "backup/archive-mine/a.weights",
            "data/archive-20261123/1.png",
            "backup/archive-20261123-120000",
        ]
        chosen = Chooser().take(page(*map(there, [*archived, *others])))
        assert chosen.old == set(archived)
        assert {file.path for file in chosen.files} == {*archived, *others}


def numbered(*numbers: int, run: str = "backup/run") -> list[RemoteFile]:
    return [there(f"{run}_{number}.weights") for number in numbers]


class TestNumberedCheckpoints:
    def test_they_wait_for_the_end_of_their_folder(self) -> None:
        chooser = Chooser()
        first = chooser.take(page(*numbered(100, 1000), there("backup/run_last.weights"), ends=False))
        assert [file.path for file in first.files] == ["backup/run_last.weights"]
        assert first.old == frozenset()
        last = chooser.take(page(*numbered(900)))
        assert list(last.files) == numbered(100, 1000, 900)
        assert last.old == {"backup/run_100.weights"}
        assert chooser.take(page()).files == ()

    @pytest.mark.parametrize(
        ("listed", "old"),
        [
            pytest.param([], [], id="none"),
            pytest.param(numbered(100), [], id="one"),
            pytest.param(numbered(100, 200), [], id="two"),
            pytest.param(numbered(1000, 200, 900), numbered(200), id="by number, not by name"),
            pytest.param(
                numbered(1, 2, 3) + numbered(1, 2, 3, run="backup/other"),
                numbered(1) + numbered(1, run="backup/other"),
                id="of each run",
            ),
            pytest.param(
                numbered(1, 2, 3, run="data/run") + numbered(1, 2, 3, run="backups/run"),
                [],
                id="only those in backup",
            ),
            pytest.param(
                numbered(1, 2, 3, run="backup/deep/run"),
                numbered(1, run="backup/deep/run"),
                id="further down",
            ),
            pytest.param(
                [there(f"backup/run_{number}.weights.bak") for number in range(5)], [], id="other endings"
            ),
        ],
    )
    def test_the_newest_two_of_a_run_are_needed(self, listed: list[Entry], old: list[RemoteFile]) -> None:
        for chooser in (Chooser(), Chooser(case_blind=True)):
            chosen = chooser.take(page(*listed))
            assert chosen.old == {file.path for file in old}
            assert len(chosen.files) == len(listed)

    def test_a_twin_does_not_count_twice(self) -> None:
        chosen = Chooser().take(page(*numbered(1, 3, 3, 3, 2)))
        assert chosen.old == {"backup/run_1.weights"}


@given(
    size=st.integers(0, 300),
    done=st.lists(st.tuples(st.integers(0, 320), st.integers(0, 320)).map(lambda pair: tuple(sorted(pair)))),
    chunk_bytes=st.integers(1, 100),
)
def test_missing_ranges(size: int, done: list[tuple[int, int]], chunk_bytes: int) -> None:
    missing = missing_ranges(size, done, chunk_bytes)
    assert list(missing) == sorted(missing)
    assert all(0 < last - first + 1 <= chunk_bytes for first, last in missing)
    fetched = [byte for first, last in missing for byte in range(first, last + 1)]
    there_already = {byte for first, last in done for byte in range(first, last + 1) if byte < size}
    assert len(fetched) == len(set(fetched))
    assert set(fetched).isdisjoint(there_already)
    assert set(fetched) | there_already == set(range(size))


def test_a_file_of_which_nothing_is_here_comes_in_as_few_ranges_as_can_be() -> None:
    assert missing_ranges(25, [], 10) == ((0, 9), (10, 19), (20, 24))
    assert missing_ranges(20, [], 10) == ((0, 9), (10, 19))
    assert missing_ranges(20, [(0, 19)], 10) == ()


def test_start_order() -> None:
    order = [
        there("backup/run_last.weights", size=900),
        there("yolov4.conv.137", size=800),
        there("data/obj.data", size=90),
        there("cfg/a.cfg", size=7),
        there("cfg/b.cfg", size=7),
        there("data/obj/large.png", size=5000),
        there("cfg.png", size=4999),
        there("data/obj/small.png", size=1),
    ]
    shuffled = random.Random(1).sample(order, len(order))
    assert sorted(shuffled, key=start_order) == order

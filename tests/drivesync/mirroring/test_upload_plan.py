"""What ``push --all`` would send, decided by tables."""

from __future__ import annotations

import pytest

from drivesync.files import Entry, LocalFile, RemoteFile, RemoteFolder, Skipped
from drivesync.mirroring.upload_plan import (
    Member,
    Pair,
    Standing,
    Unpacked,
    Upload,
    UploadPlan,
    is_apart,
    plan_upload,
    recall,
    refuse_entry,
    wants_local_md5,
    wants_remote_md5,
)

A, B, C = "a" * 32, "b" * 32, "c" * 32


def here(md5: str = "", size: int = 1, mtime_ns: int = 5, revision_id: str = "") -> LocalFile:
    return LocalFile("x/a", size, mtime_ns, md5, revision_id)


def there(md5: str = A, size: int = 1, revision_id: str = "") -> RemoteFile:
    return RemoteFile("x/a", "id", size, md5, 0.0, revision_id=revision_id)


def pair(found: LocalFile, on_remote: Entry | None, then: LocalFile | None, blocked_by: str = "") -> Pair:
    return recall(Pair(found, on_remote, then, blocked_by))


def fate(one: Pair, *, ours: bool = False) -> str:
    plan = plan_upload([one], ours=ours)
    (name,) = [name for name in UploadPlan.__slots__ if getattr(plan, name)]
    return str(name)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(pair(here(), None, None), "upload", id="new here"),
        pytest.param(pair(here(A), None, here(A)), "upload", id="gone there: it comes back"),
        pytest.param(pair(here(A), there(A), None), "keep", id="there already, by whatever way"),
        pytest.param(pair(here(), there(A), here(A)), "keep", id="as it was when both were the same"),
        pytest.param(
            pair(here(A, mtime_ns=9), there(A), here(B)), "keep", id="changed here to what is there"
        ),
        pytest.param(pair(here(A, mtime_ns=9), there(A), here(A)), "keep", id="only touched"),
        pytest.param(pair(here(B, mtime_ns=9), there(A), here(A)), "upload", id="changed here, not there"),
        pytest.param(pair(here(size=2), there(A), here(A)), "upload", id="grown here: not even hashed"),
        pytest.param(pair(here(B), there(A), None), "conflicts", id="never the same, and different"),
        pytest.param(pair(here(size=2), there(A), None), "conflicts", id="never the same, of other sizes"),
        pytest.param(pair(here(B, mtime_ns=9), there(A), here(C)), "conflicts", id="changed here and there"),
        pytest.param(pair(here(A, size=2), there(A), None), "conflicts", id="same md5 of another size"),
        pytest.param(pair(here(), there(A), here(C)), "behind", id="changed there, not here"),
        pytest.param(pair(here(), there(A, size=7), here(C)), "behind", id="grown there"),
        pytest.param(pair(here(), RemoteFolder("x/a", "id"), None), "skipped", id="a folder there"),
        pytest.param(pair(here(), Skipped("x/a", "it is a Google doc"), None), "skipped", id="no file there"),
        pytest.param(pair(here(), None, None, "x"), "skipped", id="a file where its folder should be"),
    ],
)
class TestOneFile:
    def test_its_fate(self, one: Pair, expected: str) -> None:
        assert fate(one) == expected

    def test_ours_overwrites_what_others_put_there(self, one: Pair, expected: str) -> None:
        assert fate(one, ours=True) == ("upload" if expected in {"conflicts", "behind"} else expected)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(
            pair(here(), there("", revision_id="1"), here(A, revision_id="1")), "keep", id="neither"
        ),
        pytest.param(
            pair(here(B, mtime_ns=9), there("", revision_id="1"), here(A, revision_id="1")),
            "upload",
            id="changed here",
        ),
        pytest.param(
            pair(here(A, mtime_ns=9), there("", revision_id="1"), here(A, revision_id="1")),
            "keep",
            id="touched here",
        ),
        pytest.param(
            pair(here(), there("", revision_id="2"), here(A, size=1, revision_id="1")),
            "behind",
            id="another revision, as far as is known",
        ),
        pytest.param(pair(here(size=3), there("", revision_id="2"), None), "conflicts", id="of another size"),
    ],
)
def test_a_remote_that_tells_no_checksums(one: Pair, expected: str) -> None:
    assert fate(one) == expected


@pytest.mark.parametrize(
    ("one", "of_ours", "of_theirs"),
    [
        pytest.param(pair(here(), None, None), False, False, id="nothing there"),
        pytest.param(pair(here(), there(A), None), True, False, id="of the same size"),
        pytest.param(pair(here(size=2), there(A), None), False, False, id="of another size"),
        pytest.param(pair(here(), there(A), here(A)), False, False, id="unchanged here"),
        pytest.param(pair(here(), there(""), None), True, True, id="the remote tells none"),
        pytest.param(pair(here(size=2), there(""), None), False, False, id="nor need it, by their sizes"),
        pytest.param(
            pair(here(size=2), there("", revision_id="2"), here(A, revision_id="1")),
            False,
            True,
            id="changed here, and maybe there",
        ),
        pytest.param(
            pair(here(size=2), there("", size=9, revision_id="2"), here(A, revision_id="1")),
            False,
            False,
            id="changed there for certain",
        ),
        pytest.param(
            pair(here(mtime_ns=9), there("", revision_id="1"), here(A, revision_id="1")),
            True,
            False,
            id="unchanged there",
        ),
        pytest.param(pair(here(), RemoteFolder("x/a", "id"), None), False, False, id="no file there"),
    ],
)
def test_only_what_tells_something_is_read(one: Pair, *, of_ours: bool, of_theirs: bool) -> None:
    assert (wants_local_md5(one), wants_remote_md5(one)) == (of_ours, of_theirs)


def test_what_is_replaced_and_what_is_kept_is_told_with_it() -> None:
    replaced = there(A)
    plan = plan_upload(
        [
            pair(here(B, mtime_ns=9), replaced, here(A)),
            pair(here(A), there(A, revision_id="7"), None),
            pair(here(), None, None),
        ]
    )
    assert [upload.replaces for upload in plan.upload] == [replaced, None]
    assert plan.upload[1] == Upload(here(), None)
    assert plan.keep == (here(A, revision_id="7"),)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (pair(here(), None, None, "x"), "x is a file on the remote, not a folder"),
        (pair(here(), RemoteFolder("x/a", "id"), None), "a folder is in its place on the remote"),
        (
            pair(here(), Skipped("x/a", "it is a Google document, not a file"), None),
            "what is in its place on the remote cannot be replaced: it is a Google document, not a file",
        ),
    ],
)
def test_why_there_is_no_place_for_it(one: Pair, reason: str) -> None:
    assert plan_upload([one], ours=True).skipped == (Skipped("x/a", reason),)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.cfg", ""),
        ("日本語 🦊.png", ""),
        ("tmp", ""),
        ("x.tmp.cfg", ""),
        (".gitignore", ""),
        (".git", "git"),
        (".drivesync", "drivesync"),
        (".trainer", "training"),
        ("a.tmp", "temporary"),
        (".drivesync-0123-4567.part", "temporary"),
        ("a.part", ""),
        ("\udcff", "not valid Unicode"),
        ("ü" * 128, "longer than 255 bytes"),
    ],
)
def test_names_that_are_not_sent(name: str, said: str) -> None:
    reason = refuse_entry(name)
    assert bool(reason) == bool(said)
    assert said in reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("backup/a.weights", True),
        ("backup/a.backup", True),
        ("backup/a.png", False),
        ("backup/archive/a.weights", False),
        ("x/backup/a.weights", False),
        ("a.weights", False),
    ],
)
def test_what_goes_another_way(path: str, *, expected: bool) -> None:
    assert is_apart(path, ("backup/*.weights", "backup/*.backup")) is expected


THERE, CHANGED, GONE = Standing.THERE, Standing.CHANGED, Standing.GONE


def member(*states: LocalFile, standing: Standing = THERE, archive: str = "x.zip") -> Member:
    return Member(archive, standing, states)


@pytest.mark.parametrize(
    ("found", "members", "ours", "goes", "standing"),
    [
        pytest.param(here(), [member(here(A))], False, False, THERE, id="as it was unpacked"),
        pytest.param(here(A, mtime_ns=9), [member(here(A))], False, False, THERE, id="only touched"),
        pytest.param(here(), [member(here(A))], True, False, THERE, id="nothing there to overwrite"),
        pytest.param(here(B, mtime_ns=9), [member(here(A))], False, True, None, id="changed here"),
        pytest.param(here(size=2), [member(here(A))], False, True, None, id="grown here"),
        pytest.param(
            here(), [member(here(A, mtime_ns=-1))], False, True, None, id="never ours, and not read"
        ),
        pytest.param(
            here(), [member(here(B, mtime_ns=9), here(A))], False, False, THERE, id="in one of its states"
        ),
        pytest.param(
            here(), [member(here(A), standing=CHANGED)], False, False, CHANGED, id="another archive"
        ),
        pytest.param(
            here(), [member(here(A), standing=CHANGED)], True, True, CHANGED, id="ours all the same"
        ),
        pytest.param(here(), [member(here(A), standing=GONE)], False, True, GONE, id="no archive"),
        pytest.param(
            here(A),
            [member(here(B, mtime_ns=9)), member(here(A), standing=GONE)],
            False,
            True,
            GONE,
            id="out of the other",
        ),
    ],
)
def test_what_came_out_of_an_archive(
    found: LocalFile, members: list[Member], standing: Standing | None, *, ours: bool, goes: bool
) -> None:
    one = recall(Pair(found, None, None, members=tuple(members)))
    plan = plan_upload([one], ours=ours)
    assert plan.upload == ((Upload(found, None),) if goes else ())
    assert [unpacked.standing for unpacked in plan.unpacked] == ([] if standing is None else [standing])


def test_what_the_remote_has_as_a_file_is_not_told_as_of_an_archive() -> None:
    one = recall(Pair(here(B), there(A), None, members=(member(here(B)),)))
    assert plan_upload([one]) == UploadPlan(conflicts=("x/a",))


def test_what_has_no_place_there_and_is_in_an_archive_needs_none() -> None:
    one = Pair(here(), RemoteFolder("x/a", "id"), None, "x", (member(here(A)),))
    assert plan_upload([one]) == UploadPlan(unpacked=(Unpacked(here(), here(A), "x.zip", THERE),))


@pytest.mark.parametrize(
    ("found", "state", "expected"),
    [
        pytest.param(here(), here(A), False, id="its time tells"),
        pytest.param(here(), here(A, size=2), False, id="its size tells"),
        pytest.param(here(), here(A, mtime_ns=9), True, id="only its content can tell"),
        pytest.param(here(A), here(A, mtime_ns=9), False, id="that is known"),
    ],
)
def test_what_has_to_be_read_to_know_it_again(found: LocalFile, state: LocalFile, *, expected: bool) -> None:
    assert wants_local_md5(Pair(found, None, None, members=(member(state),))) is expected

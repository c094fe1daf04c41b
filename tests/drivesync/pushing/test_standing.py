"""What may replace what: a table of who is further, who is better, and who was overtaken."""

from __future__ import annotations

import pytest

from drivesync.files import RemoteFile, Role
from drivesync.pushing.standing import (
    PROPERTY_BYTES,
    UNKNOWN,
    Standing,
    make_record,
    read_record,
    refuse_to_replace,
    tells_enough,
)

MD5, SHA256 = "d" * 32, "5" * 64


def at(
    iteration: int | None, score: float | None = None, epoch: int | None = None, progress: int | None = None
) -> Standing:
    return Standing(iteration, score, epoch, progress)


@pytest.mark.parametrize("role", [Role.LAST, Role.FINAL, Role.NUMBERED, Role.OTHER])
@pytest.mark.parametrize(
    ("ours", "theirs", "refused"),
    [
        pytest.param(at(300), at(200), "", id="further"),
        pytest.param(at(200), at(200), "", id="as far"),
        pytest.param(at(199), at(200), "holds iteration 200, and this is iteration 199", id="not as far"),
        pytest.param(at(0), at(1), "holds iteration 1", id="a start from nothing"),
        pytest.param(at(199, 90.0), at(200, 10.0), "holds iteration 200", id="a score changes nothing"),
        pytest.param(
            at(199, epoch=7), at(200, epoch=6), "holds iteration 200", id="a newer lease changes nothing"
        ),
        pytest.param(UNKNOWN, at(200), "nobody knows which this is", id="nobody knows how far this one is"),
        pytest.param(UNKNOWN, at(0), "nobody knows which this is", id="or whether it has begun"),
        pytest.param(at(1), UNKNOWN, "", id="what is there is no whole checkpoint"),
        pytest.param(UNKNOWN, UNKNOWN, "", id="none is a checkpoint"),
        pytest.param(at(101, progress=808), at(200, progress=800), "", id="further, by longer iterations"),
        pytest.param(at(100, progress=800), at(200, progress=800), "", id="as far, by longer iterations"),
        pytest.param(
            at(300, progress=600),
            at(200, progress=800),
            "one that was trained for longer, iteration 200 by its own count, and this is iteration 300",
            id="not as far, by shorter iterations",
        ),
        pytest.param(
            at(199, progress=796), at(200, progress=800), "and this is iteration 199", id="the same ones"
        ),
        pytest.param(at(199, progress=999), at(200), "holds iteration 200", id="nobody can measure theirs"),
        pytest.param(at(200), at(200, progress=999), "", id="nobody can measure ours"),
        pytest.param(UNKNOWN, at(200, progress=800), "nobody knows which this is", id="nor tell what it is"),
    ],
)
def test_never_backwards(role: Role, ours: Standing, theirs: Standing, refused: str) -> None:
    said = refuse_to_replace(role, ours, theirs)
    assert (refused in said) if refused else (said == "")


@pytest.mark.parametrize(
    ("ours", "theirs", "refused"),
    [
        pytest.param(at(300, 71.5), at(200, 71.4), "", id="better and further"),
        pytest.param(at(100, 71.5), at(200, 71.4), "", id="better, though not as far"),
        pytest.param(
            at(300, 65.0), at(200, 71.4), "a score of 71.4, and this one has 65", id="worse and further"
        ),
        pytest.param(at(300, 71.4), at(200, 71.4), "", id="as good and further"),
        pytest.param(at(200, 71.4), at(200, 71.4), "", id="the same"),
        pytest.param(at(100, 71.4), at(200, 71.4), "as good, and further", id="as good and not as far"),
        pytest.param(at(None, 71.4), at(200, 71.4), "as good, and further", id="as good, who knows how far"),
        pytest.param(at(100, 0.0), at(200, -1.0), "", id="zero and less are scores too"),
        pytest.param(
            at(300), at(200, 71.4), "nobody knows the score of this one", id="unknown against known"
        ),
        pytest.param(
            at(300), at(200, 0.0), "nobody knows the score of this one", id="even if that is the worst"
        ),
        pytest.param(
            at(300, float("nan")), at(200, 71.4), "nobody knows the score of", id="no number against known"
        ),
        pytest.param(at(300, 1.0), at(200), "", id="known against unknown, further"),
        pytest.param(at(100, 99.0), at(200), "holds iteration 200", id="known against unknown, not as far"),
        pytest.param(at(300), at(200), "", id="unknown against unknown, further"),
        pytest.param(at(100), at(200), "holds iteration 200", id="unknown against unknown, not as far"),
        pytest.param(at(1, 0.1), UNKNOWN, "", id="what is there is no whole checkpoint"),
        pytest.param(
            at(150, 71.4, progress=1200), at(200, 71.4, progress=800), "", id="as good, by longer iterations"
        ),
        pytest.param(
            at(300, 71.4, progress=600), at(200, 71.4, progress=800), "as good, and further", id="by shorter"
        ),
    ],
)
def test_the_best_is_the_best_of_all_sessions(ours: Standing, theirs: Standing, refused: str) -> None:
    said = refuse_to_replace(Role.BEST, ours, theirs)
    assert (refused in said) if refused else (said == "")


@pytest.mark.parametrize(
    ("role", "ours", "theirs", "replaced"),
    [
        pytest.param(Role.LAST, at(200, epoch=7), at(900, epoch=6), True, id="a straggler's gives way"),
        pytest.param(
            Role.LAST, at(200, epoch=7), at(900), False, id="what somebody put there by hand does not"
        ),
        pytest.param(Role.LAST, at(200, epoch=7), at(900, epoch=7), False, id="this session's own does not"),
        pytest.param(
            Role.LAST, at(200, epoch=7), at(900, epoch=8), False, id="nor one that has overtaken us"
        ),
        pytest.param(
            Role.BEST, at(200, 50.0, 7), at(900, 49.0, 6), True, id="a straggler's best that is worse"
        ),
        pytest.param(
            Role.BEST, at(200, 50.0, 7), at(900, 51.0, 6), False, id="the best is the best, whoever made it"
        ),
        pytest.param(Role.BEST, at(200, None, 7), at(900, None, 6), True, id="no scores at all"),
    ],
)
def test_a_straggler(role: Role, ours: Standing, theirs: Standing, *, replaced: bool) -> None:
    assert (refuse_to_replace(role, ours, theirs, straggler=True) == "") is replaced


def file(properties: dict[str, str], md5: str = MD5) -> RemoteFile:
    return RemoteFile("backup/x", "id", 1, md5, 0.0, sha256=SHA256 if md5 else "", properties=properties)


@pytest.mark.parametrize(
    "standing",
    [at(0), at(300), at(300, 71.4, 12), at(300, 1 / 3), at(None, -0.5), at(3, progress=192), UNKNOWN],
)
def test_what_is_recorded_is_read(standing: Standing) -> None:
    assert read_record(file(make_record(standing, md5=MD5, sha256=SHA256))) == standing


@pytest.mark.parametrize(
    ("properties", "read"),
    [
        pytest.param({}, None, id="uploaded by hand"),
        pytest.param({"iteration": "300"}, None, id="nobody says of which content"),
        pytest.param({"iteration": "300", "md5": "e" * 32}, None, id="of another content"),
        pytest.param({"md5": MD5}, UNKNOWN, id="of this content, and no checkpoint"),
        pytest.param({"md5": "none", "sha256": SHA256}, UNKNOWN, id="one checksum is enough"),
        pytest.param({"md5": MD5, "sha256": "6" * 64}, None, id="the other belongs to another content"),
        pytest.param({"md5": "none", "sha256": "none"}, None, id="no checksum is not enough"),
        pytest.param({"md5": MD5, "iteration": "-3", "score": "x", "epoch": "1e3"}, UNKNOWN, id="junk"),
        pytest.param({"md5": MD5, "iteration": "9" * 5000, "score": "nan"}, UNKNOWN, id="worse junk"),
        pytest.param({"md5": MD5, "iteration": "³", "score": "inf", "epoch": " 1"}, UNKNOWN, id="odd digits"),
        pytest.param({"md5": MD5, "iteration": "12", "score": "1e1"}, at(12, 10.0), id="what others wrote"),
        pytest.param(
            {"sha256": SHA256, "iteration": "12", "progress": f"768@{SHA256}"},
            at(12, progress=768),
            id="both",
        ),
        pytest.param(
            {"md5": MD5, "iteration": "12", "progress": f"768@{'e' * 32}"},
            at(12),
            id="the progress of another",
        ),
        pytest.param({"md5": MD5, "iteration": "12", "progress": "768"}, at(12), id="of nobody knows what"),
        pytest.param({"md5": MD5, "iteration": "12", "progress": "768@"}, at(12), id="or says"),
        pytest.param({"md5": MD5, "progress": f"x@{MD5}"}, UNKNOWN, id="junk of this content"),
    ],
)
def test_a_record_is_believed_only_of_its_content(properties: dict[str, str], read: Standing | None) -> None:
    assert read_record(file(properties)) == read


def test_a_remote_that_tells_no_checksum_is_not_believed() -> None:
    assert read_record(file({"md5": "", "iteration": "3"}, md5="")) is None


def test_every_property_fits_into_drive() -> None:
    run, who = "r" * 400, "日本" * 20
    record = make_record(at(300, 1 / 3, 9, 10**18), md5=MD5, sha256=SHA256, run=run, who=who, role="last")
    assert record["who"] == who
    assert all(len(f"{name}{value}".encode()) <= PROPERTY_BYTES for name, value in record.items())
    assert len(record) <= 30


def test_what_is_not_known_is_said_so_that_nothing_stays_of_earlier_pushes() -> None:
    known = make_record(at(300, 0.5, 9, 1200), md5=MD5, sha256=SHA256, run="r", who="w")
    unknown = make_record(UNKNOWN, md5="e" * 32, sha256=SHA256, run="r" * 400, who="")
    assert read_record(file(known | unknown, "e" * 32)) == UNKNOWN
    assert (
        unknown["run"]
        == unknown["who"]
        == unknown["score"]
        == unknown["iteration"]
        == unknown["progress"]
        == "none"
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "enough"),
    [
        pytest.param(None, at(3, progress=192), False, id="no record"),
        pytest.param(None, at(3), False, id="and nothing to compare it with"),
        pytest.param(at(3), at(3, progress=192), False, id="of an earlier version"),
        pytest.param(at(3, progress=192), at(3, progress=192), True, id="of this one"),
        pytest.param(UNKNOWN, at(3, progress=192), True, id="of no checkpoint"),
        pytest.param(at(3), at(3), True, id="progress would be compared with nothing"),
    ],
)
def test_a_record_that_has_to_be_looked_behind(
    theirs: Standing | None, ours: Standing, *, enough: bool
) -> None:
    assert tells_enough(theirs, ours) is enough


def test_an_earlier_version_leaves_the_progress_of_the_content_before() -> None:
    before = make_record(at(300, progress=1200), md5="e" * 32, sha256="6" * 64)
    after = make_record(at(400), md5=MD5, sha256=SHA256)
    del after["progress"]
    assert read_record(file(before | after)) == at(400)

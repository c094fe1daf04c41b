"""A .data file's options, and names against classes."""

from __future__ import annotations

import pytest

from trainer.checking.datafile import check_data, check_names
from trainer.checking.findings import Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
CLEAN = "classes = 2\ntrain = data/train.txt\nvalid = data/test.txt\nnames = data/x.names\nbackup = backup/\n"

Found = list[tuple[Severity, str, int | None]]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("", "", [], id="clean"),
        pytest.param("classes = 2", "# a\n\nclasses=2", [], id="comment and empty line"),
        pytest.param("classes = 2\n", "", [(E, "no-classes", None)], id="no classes"),
        pytest.param("train = data/train.txt\n", "", [(E, "no-train", None)], id="no train"),
        pytest.param("train = data/train.txt", "train =", [(E, "no-train", None)], id="train is empty"),
        pytest.param("valid = data/test.txt\n", "", [(W, "no-valid", None)], id="no valid"),
        pytest.param("names = data/x.names\n", "", [(W, "no-names", None)], id="no names"),
        pytest.param("backup = backup/\n", "", [(E, "no-backup", None)], id="no backup"),
        pytest.param("classes = 2", "classes = two", [(E, "no-number", 1)], id="no number"),
        pytest.param("classes = 2", "classes = 0", [(E, "no-number", 1)], id="no class"),
        pytest.param("train.txt", "my train.txt", [(E, "space-in-path", 2)], id="space in a path"),
        pytest.param("= backup/", "= my backup/", [(E, "space-in-path", 5)], id="space in backup"),
        pytest.param("= backup/", f"= {'b' * 230}", [], id="backup just short enough"),
        pytest.param("= backup/", f"= {'b' * 240}", [(E, "long-path", 5)], id="backup too long"),
        pytest.param("valid =", "vaild =", [(W, "unknown-option", 3), (W, "no-valid", None)], id="misspelt"),
        pytest.param("backup =", "what\nbackup =", [(W, "no-option", 5)], id="no option"),
        pytest.param("valid", "train=data/b.txt\nvalid", [(W, "option-twice", 3)], id="twice"),
        pytest.param("valid", "classes=2\nvalid", [(N, "option-twice", 3)], id="twice the same"),
        pytest.param("backup =", "savelast=50\nbackup =", [], id="savelast"),
        pytest.param(
            "backup =", "savelast=1000\nbackup =", [(W, "no-last", 5)], id="savelast as saveweights"
        ),
        pytest.param(
            "backup =", "saveweights=100\nbackup =", [(W, "no-last", 5)], id="saveweights as savelast"
        ),
        pytest.param("backup =", "saveweights=9\nsavelast=9\nbackup =", [(W, "no-last", 6)], id="both"),
    ],
)
def test_a_data_file(old: str, new: str, found: Found) -> None:
    assert old in CLEAN
    findings = check_data(CLEAN.replace(old, new, 1), "x.data", base="remote", max_batches=300)
    assert [(one.severity, one.code, one.line) for one in findings] == found


def test_a_misspelt_option_is_recognised() -> None:
    findings = check_data(CLEAN.replace("valid", "vaild"), "x.data", base="remote")
    assert "valid may be meant" in next(findings).what


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("circle\nsquare\n", [], id="clean"),
        pytest.param("circle\nsquare", [], id="clean, without a last line end"),
        pytest.param("circle\n", [(W, "names-differ", 1)], id="too few"),
        pytest.param("circle\nsquare\ncat\ndog\n", [(W, "names-differ", 3)], id="too many"),
        pytest.param("circle\nsquare\n\n", [(W, "names-differ", 3)], id="an empty line at the end counts"),
        pytest.param("circle\n\n", [(W, "empty-name", 2)], id="an empty line for a name"),
        pytest.param("circle\ncircle\n", [(W, "same-name", 2)], id="twice the same"),
        pytest.param("", [(W, "names-differ", None)], id="empty"),
    ],
)
def test_names(text: str, found: Found) -> None:
    findings = check_names(text, "x.names", classes=2)
    assert [(one.severity, one.code, one.line) for one in findings] == found


def test_where_names_are_needed_it_is_an_error_that_they_do_not_fit() -> None:
    assert next(check_names("a\n", "x.names", classes=2, fatal=True)).severity is E

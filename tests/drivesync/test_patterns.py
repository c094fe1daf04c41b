"""Globs match by name what ``Path.glob`` finds on disk."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from drivesync.patterns import fixed_folder, is_deep, matches, refuse_pattern

PATHS = [
    "a.pt",
    "runs/a.pt",
    "runs/x/a.pt",
    "runs/x/y/a.pt",
    "runs/x/y/b.txt",
    "runs/.hidden/.a.pt",
    "runs/[x]/a.pt",
    "backup/run_last.weights",
    "backup/deep/run_last.weights",
]


@pytest.mark.parametrize(
    ("pattern", "fixed", "deep"),
    [
        pytest.param("backup/*.weights", "backup", False, id="darknet's"),
        pytest.param("backup/run_last.weights", "backup", False, id="one file"),
        pytest.param("*.pt", ".", False, id="the tree itself"),
        pytest.param("runs/**/*.pt", "runs", True, id="any depth"),
        pytest.param("runs/**/y/*.pt", "runs", True, id="a folder at any depth"),
        pytest.param("**/*", ".", True, id="everything"),
        pytest.param("runs/*/a.pt", "runs", True, id="each folder's"),
        pytest.param("r?ns/x/*", ".", True, id="a question mark"),
        pytest.param("runs/[[]x]/a.pt", "runs", True, id="a bracket"),
        pytest.param("runs/**/**/a.pt", "runs", True, id="any depth, twice"),
    ],
)
def test_as_path_glob(tmp_path: Path, pattern: str, fixed: str, *, deep: bool) -> None:
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    found = {match.relative_to(tmp_path).as_posix() for match in tmp_path.glob(pattern) if match.is_file()}
    assert {path for path in PATHS if matches(path, pattern)} == found
    assert found
    assert fixed_folder(pattern) == PurePosixPath(fixed)
    assert is_deep(pattern) is deep


def test_two_stars_at_the_end_are_all_that_is_there() -> None:
    """As ``Path.glob`` has it from Python 3.13 on."""
    assert [path for path in PATHS if matches(path, "runs/**")] == [path for path in PATHS if "runs/" in path]
    assert is_deep("runs/**")
    assert not matches("runs", "runs/**")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("./", "empty", id="the tree itself"),
        pytest.param("/abs/*.pt", "not relative", id="absolute"),
        pytest.param("../outside/*", "leads out", id="above the tree"),
        pytest.param("a/../../b/*.txt", "leads out", id="by a way around"),
        pytest.param("**/**x", "stands for folders", id="stars that glob refuses"),
        pytest.param("**/*.pt", "", id="any depth"),
        pytest.param("runs/**", "", id="all of a folder"),
        pytest.param("a..b/*.p[t", "", id="names that only look like it"),
    ],
)
def test_what_names_nothing_of_a_tree(tmp_path: Path, pattern: str, said: str) -> None:
    reason = refuse_pattern(pattern)
    assert said in reason
    assert bool(reason) == bool(said)
    if not said:
        assert list(tmp_path.glob(pattern if not pattern.endswith("**") else f"{pattern}/*")) == []

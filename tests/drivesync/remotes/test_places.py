"""What a user may call a remote."""

from __future__ import annotations

import subprocess
import sys

import pytest

from drivesync.errors import UsageError
from drivesync.remotes import is_pull_only
from drivesync.remotes.places import (
    DriveId,
    DrivePath,
    GitRepository,
    LocalFolder,
    Place,
    parse_drive_place,
    parse_place,
)

ID = "1AbC-def_GHIjklMNOpqrSTUvwxYZ0123"
FOLDER_URL = f"https://drive.google.com/drive/folders/{ID}"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("darknet", DrivePath(("darknet",)), id="a folder in My Drive"),
        pytest.param("work/darknet/", DrivePath(("work", "darknet")), id="a path, with a slash behind it"),
        pytest.param(" darknet", DrivePath((" darknet",)), id="a name is a name"),
        pytest.param("..x", DrivePath(("..x",)), id="dots in a name"),
        pytest.param("MyDrive/darknet", DrivePath(("darknet",)), id="as Colab mounts My Drive"),
        pytest.param("My Drive/a/b", DrivePath(("a", "b")), id="as Colab mounted it before"),
        pytest.param("MyDrive", DrivePath(()), id="My Drive itself"),
        pytest.param(
            "Shareddrives/team/a/b", DrivePath(("a", "b"), "team"), id="as Colab mounts shared drives"
        ),
        pytest.param("Shared drives/the team", DrivePath((), "the team"), id="a shared drive itself"),
        pytest.param(ID, DrivePath((ID,)), id="an id is a name at first"),
        pytest.param(f"id:{ID}", DriveId(ID), id="an id that is said to be one"),
        pytest.param("id:0AshortOne", DriveId("0AshortOne"), id="a short id, as shared drives have it"),
        pytest.param(FOLDER_URL, DriveId(ID), id="the browser's address"),
        pytest.param(f"{FOLDER_URL}?usp=sharing", DriveId(ID), id="a copied link"),
        pytest.param(f"{FOLDER_URL}?resourcekey=0-k3y&usp=x", DriveId(ID, "0-k3y"), id="a link with its key"),
        pytest.param(
            f"https://drive.google.com/drive/u/1/folders/{ID}?resourcekey=0-k",
            DriveId(ID, "0-k"),
            id="the address in a second account",
        ),
        pytest.param(f"drive.google.com/drive/folders/{ID}", DriveId(ID), id="the address without https"),
        pytest.param(
            f"https://drive.google.com/open?id={ID}&resourcekey=0-k", DriveId(ID, "0-k"), id="open?id="
        ),
        pytest.param(f"https://drive.google.com/folderview?id={ID}", DriveId(ID), id="an old address"),
        pytest.param("/content/drive/MyDrive/x", LocalFolder("/content/drive/MyDrive/x"), id="a directory"),
        pytest.param("./x", LocalFolder("./x"), id="a directory from here"),
        pytest.param("../x", LocalFolder("../x"), id="a directory from above"),
        pytest.param("..", LocalFolder(".."), id="the directory above"),
        pytest.param("~/x", LocalFolder("~/x"), id="a directory from home"),
        pytest.param("github:AlexeyAB/darknet", GitRepository("github:AlexeyAB/darknet"), id="on GitHub"),
        pytest.param("github:a/b@v1.2", GitRepository("github:a/b@v1.2"), id="on GitHub, at a ref"),
        pytest.param("git@host:a/b", GitRepository("git@host:a/b"), id="by SSH, briefly"),
        pytest.param("ssh://git@host/a", GitRepository("ssh://git@host/a"), id="by SSH"),
        pytest.param("git://host/a", GitRepository("git://host/a"), id="by git's own protocol"),
        pytest.param("file:///a/b", GitRepository("file:///a/b"), id="a repository on this machine"),
        pytest.param("https://host/a.git", GitRepository("https://host/a.git"), id="by HTTPS"),
        pytest.param(
            "https://github.com/a/b", GitRepository("https://github.com/a/b"), id="GitHub's address"
        ),
    ],
)
def test_what_a_name_means(name: str, place: Place) -> None:
    assert parse_place(name) == place


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="nothing"),
        pytest.param("a//b", id="no name within"),
        pytest.param("a/../b", id="a way up"),
        pytest.param("x" * 256, id="a name too long"),
        pytest.param("a\0b", id="a zero byte"),
        pytest.param("MyDrive/../x", id="out of My Drive"),
        pytest.param("Shareddrives", id="no shared drive"),
        pytest.param("Shareddrives/", id="a shared drive without a name"),
        pytest.param("id:", id="an empty id"),
        pytest.param("id:a/b", id="no id"),
        pytest.param("https://example.com/darknet", id="somebody's page"),
        pytest.param("https://drive.google.com/drive/my-drive", id="an address of no folder"),
        pytest.param("https://drive.google.com/open?id=a'b", id="an address with no id"),
        pytest.param("https://[", id="no address"),
        pytest.param("ftp://host/a", id="a protocol that nobody speaks"),
    ],
)
def test_what_means_nothing(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(name)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/uc?id={ID}&export=download",
        f"https://docs.google.com/document/d/{ID}/edit",
    ],
)
def test_an_address_of_a_file_is_said_to_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="leads to a file, not to a folder") as caught:
        parse_place(url)
    assert "folder that it lies in" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "possible_id"),
    [
        pytest.param(ID, ID, id="long enough"),
        pytest.param("x" * 24, "", id="too short"),
        pytest.param(f"work/{ID}", "", id="below another"),
        pytest.param(f"Shareddrives/team/{ID}", "", id="in a shared drive"),
        pytest.param("darknet trained on my own photos", "", id="a name with spaces"),
    ],
)
def test_a_name_that_may_be_an_id(name: str, possible_id: str) -> None:
    place = parse_place(name)
    assert isinstance(place, DrivePath)
    assert place.possible_id == possible_id


@pytest.mark.parametrize("name", ["/darknet", "github:a/b"])
def test_a_place_that_is_not_in_drive(name: str) -> None:
    with pytest.raises(UsageError, match="no folder in Google Drive"):
        parse_drive_place(name)


def test_only_git_cannot_be_pushed_to() -> None:
    assert [is_pull_only(name) for name in ("darknet", "/darknet", "github:a/b")] == [False, False, True]


def test_a_key_stays_out_of_what_is_printed() -> None:
    assert "0-k3y" not in repr(parse_place(f"{FOLDER_URL}?resourcekey=0-k3y"))


def test_googles_client_is_not_loaded_for_other_remotes() -> None:
    program = (
        "import sys; from drivesync.config import Settings; from drivesync.remotes import open_remote;"
        "open_remote(sys.argv[1], Settings(), print);"
        "print(sorted(name for name in sys.modules if name.startswith('google')))"
    )
    done = subprocess.run([sys.executable, "-c", program, "."], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

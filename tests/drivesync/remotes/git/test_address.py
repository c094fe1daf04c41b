"""What a user calls a repository, what git is asked for, and what is never shown."""

from __future__ import annotations

import pytest

from drivesync.errors import UsageError
from drivesync.remotes.git.address import hide_passwords, parse_address, pick_commit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "url", "ref"),
    [
        ("github:me/darknet", "https://github.com/me/darknet.git", "HEAD"),
        ("github:me/darknet.git", "https://github.com/me/darknet.git", "HEAD"),
        ("github:me/dark.net@v1.0", "https://github.com/me/dark.net.git", "v1.0"),
        ("github:me/darknet@feature/x", "https://github.com/me/darknet.git", "feature/x"),
        (f"github:me/darknet@{COMMIT}", "https://github.com/me/darknet.git", COMMIT),
        ("github:me/darknet#v1", "https://github.com/me/darknet.git", "v1"),
        ("https://github.com/me/darknet", "https://github.com/me/darknet", "HEAD"),
        ("https://github.com/me/darknet/tree/feature/x", "https://github.com/me/darknet", "feature/x"),
        ("https://github.com/me/darknet/tree/caf%C3%A9", "https://github.com/me/darknet", "café"),
        ("https://example.org/a/b.git@v1", "https://example.org/a/b.git", "v1"),
        ("https://example.org/a/b@c#v1", "https://example.org/a/b@c", "v1"),
        ("https://me:secret@example.org/b.git#v1", "https://me:secret@example.org/b.git", "v1"),
        ("git@example.org:me/darknet.git@v1", "git@example.org:me/darknet.git", "v1"),
        ("git@example.org:me/darknet", "git@example.org:me/darknet", "HEAD"),
        ("ssh://git@example.org:22/me/darknet", "ssh://git@example.org:22/me/darknet", "HEAD"),
        ("file:///my repositories/darknet", "file:///my repositories/darknet", "HEAD"),
        ("git://127.0.0.1:9418/darknet#main", "git://127.0.0.1:9418/darknet", "main"),
    ],
)
def test_names(name: str, url: str, ref: str) -> None:
    address = parse_address(name)
    assert (address.url, address.ref) == (url, ref)
    assert address.is_commit == (ref == COMMIT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "--upload-pack=touch /tmp/x",
        "github:me",
        "github:-me/darknet",
        "github:me/darknet/data",
        "github:me/darknet@-x",
        "github:me/darknet@+main",
        "github:me/darknet@main:refs/heads/main",
        "github:me/darknet@a..b",
        "github:me/darknet@a b",
        "github:me/darknet@a\nb",
        "github:me/darknet@HEAD~1",
        "ext::sh -c touch% /tmp/x",
        "fd::17/foo",
        "ftp://example.org/x",
        "https:///x",
        "https://example.org",
        "https://[/x",
        "ssh://-oProxyCommand=touch/x",
        "ssh://-oProxyCommand=touch@example.org/x",
        "-oProxyCommand=touch@example.org:x",
        "git@-oProxyCommand=touch:x",
        "git@example.org:-x",
        "https://example.org/x\n.git",
        "work/darknet",
    ],
)
def test_names_that_git_is_not_asked_for(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@example.org/x#v1", "https://example.org/x#v1"),
        ("https://secret@example.org/x", "https://example.org/x"),
        ("https://me:sec%40ret@example.org/x", "https://example.org/x"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:secret@example.org/x", "ssh://git@example.org/x"),
        ("git@example.org:x", "git@example.org:x"),
        (
            "fatal: unable to access 'https://a:b@c/': x, nor 'http://d@e/'",
            "fatal: unable to access 'https://c/': x, nor 'http://e/'",
        ),
        ("https://example.org/a/b@c", "https://example.org/a/b@c"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert hide_passwords(text) == shown


def test_a_password_is_in_nothing_that_is_shown() -> None:
    address = parse_address("https://me:secret@example.org/b.git@v1")
    assert address.shown == "https://example.org/b.git@v1"
    assert "secret" not in repr(address)


def test_a_password_is_not_in_a_refusal() -> None:
    with pytest.raises(UsageError) as caught:
        parse_address("ftp://me:secret@example.org/b")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("ref", "commit"),
    [
        pytest.param("HEAD", "1", id="the default branch"),
        pytest.param("main", "2", id="a branch, and none whose name ends like it"),
        pytest.param("both", "5", id="a tag before a branch"),
        pytest.param("v1", "7", id="what an annotated tag leads to"),
        pytest.param("refs/heads/both", "4", id="a full name"),
        pytest.param("heads/both", "4", id="almost a full name"),
        pytest.param("other", "", id="nothing"),
    ],
)
def test_a_name_stands_for_what_fetch_takes_it_for(ref: str, commit: str) -> None:
    names = (
        "HEAD refs/heads/main refs/heads/not/main refs/heads/both refs/tags/both refs/tags/v1 refs/tags/v1^{}"
    )
    answer = "".join(f"{number}\t{name}\n" for number, name in enumerate(names.split(), start=1))
    assert pick_commit(answer.encode(), ref) == commit

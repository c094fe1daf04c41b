"""How a user names a git repository, and what git is told of that. Pure.

github:USER/REPO              the default branch
github:USER/REPO@REF          a branch, a tag or a commit by its full id
https://github.com/USER/REPO/tree/REF   as the browser shows a branch
https://HOST/PATH.git@REF     and likewise git@HOST:PATH.git@REF: after .git an @ can mean nothing else
https://HOST/PATH#REF         and likewise all other addresses
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from drivesync.errors import UsageError

_HINT = "A repository is named github:USER/REPO, github:USER/REPO@REF, or by an address of git's, with #REF behind it."
_GITHUB = re.compile(r"github:([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+?)(?:\.git)?/?(?:[@#](.+))?")
_BROWSED = re.compile(r"(https://(?:www\.)?github\.com/[^/?#]+/[^/?#]+)/tree/([^?#]+)")
_DOT_GIT = re.compile(r"(.+\.git)(?:[@#](.+))?")
_SSH = re.compile(r"[A-Za-z0-9_.]+[\w.-]*@[A-Za-z0-9][\w.-]*:(?!-).+")
_SCHEMES = frozenset({"file", "git", "git+ssh", "http", "https", "ssh"})
# What git-check-ref-format refuses, and what would make a refspec or an option of a ref.
_NO_REF = re.compile(r"^[-+/.]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.lock$|\.$")
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SSH_PASSWORD = re.compile(r"(?<=ssh://)([^/@:\s]*):[^/@\s]*@")
_OTHER_SECRET = re.compile(r"(?<!ssh)://[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class GitAddress:
    """What git is asked for.

    Attributes:
        url: for git; may hold a password.
        ref: a branch, a tag, a full commit id, or ``HEAD``.
        shown: the name as the user gave it, without a password; opens the same place for whoever needs none.
    """

    url: str = field(repr=False)
    ref: str
    shown: str

    @property
    def is_commit(self) -> bool:
        """Whether ``ref`` names one content for ever."""
        return _COMMIT.fullmatch(self.ref) is not None


def parse_address(name: str) -> GitAddress:
    """What ``name`` means.

    Raises:
        UsageError: nothing that git should be asked for.
    """
    if match := _GITHUB.fullmatch(name):
        url, ref = f"https://github.com/{match[1]}.git", match[2]
    elif match := _BROWSED.fullmatch(name):
        url, ref = match[1], unquote(match[2])
    elif (match := _DOT_GIT.fullmatch(name)) and "#" not in match[1]:
        url, ref = match[1], match[2]
    else:
        url, _, ref = name.partition("#")
    if any(letter < " " or letter == "\x7f" for letter in url) or not _is_address(url):
        raise UsageError(f"{hide_passwords(name)!r} names no git repository", hint=_HINT)
    ref = ref or "HEAD"
    if _NO_REF.search(ref):
        raise UsageError(f"{ref!r} is no name of a branch, a tag or a commit", hint=_HINT)
    return GitAddress(url, ref, hide_passwords(name))


def _is_address(url: str) -> bool:
    if "://" not in url:
        return _SSH.fullmatch(url) is not None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    # What begins with a dash would be an option of ssh's.
    sound = not host.startswith("-") and not (parts.username or "").startswith("-")
    return sound and parts.scheme in _SCHEMES and (bool(host) or parts.scheme == "file") and bool(parts.path)


def hide_passwords(text: str) -> str:
    """``text`` with what stands before the @ of its addresses cut; of ssh's the user stays, who is no secret."""
    return _OTHER_SECRET.sub("://", _SSH_PASSWORD.sub(r"\1@", text))


def pick_commit(answer: bytes, ref: str) -> str:
    """The id that ``ref`` stands for, of an answer of ``git ls-remote``; empty if there is none.

    A name is taken for what ``git fetch`` takes it for: a tag before a branch, and what a tag leads to.
    """
    ids = {
        name: id_
        for id_, _, name in (line.partition("\t") for line in answer.decode("utf-8", "replace").splitlines())
    }
    full = (pattern.format(ref) for pattern in ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}"))
    found = next((name for name in full if name in ids), "")
    return ids.get(f"{found}^{{}}") or ids.get(found, "")

"""A bare git repository, made of contents: no file of it is ever checked out, so names and modes may be anything."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMMITTED_S = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a commit.

    Attributes:
        path: any bytes.
        content: of the file; a link's target; a submodule's commit id.
        mode: as git writes it: 100644, 100755, 120000 (a link), 160000 (a submodule).
    """

    path: bytes
    content: bytes
    mode: str = "100644"


class Repository:
    """The repository in ``folder``, which the first commit makes; its branch is ``main``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        """What git clones."""
        return f"file://{self.folder}"

    def commit(self, *blobs: Blob) -> str:
        """Add or replace files; returns the commit's id."""
        if not self.folder.exists():
            self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.folder), inside=False)
        lines = []
        for blob in blobs:
            is_submodule = blob.mode == "160000"
            id_ = blob.content if is_submodule else self.store(blob.content).encode()
            lines.append(blob.mode.encode() + b" " + id_ + b"\t" + blob.path + b"\0")
        self.git("update-index", "-z", "--index-info", given=b"".join(lines))
        return self.commit_tree(self.git("write-tree"))

    def store(self, content: bytes) -> str:
        """The id of a new blob."""
        return self.git("hash-object", "-w", "--stdin", given=content)

    def commit_tree(self, tree: str) -> str:
        """Make the tree with this id the newest commit; returns the commit's id."""
        parents = self.git("for-each-ref", "--format=-p%(objectname)", "refs/heads/main").split()
        commit = self.git("commit-tree", *parents, "-m", "more", tree)
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def git(self, *arguments: str, given: bytes = b"", inside: bool = True) -> str:
        """What git prints, stripped; the same whoever runs it, and whenever."""
        who = {
            f"GIT_{role}_{fact}": "nobody" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")
        }
        when = {f"GIT_{role}_DATE": f"{COMMITTED_S} +0000" for role in ("AUTHOR", "COMMITTER")}
        place = {"GIT_DIR": str(self.folder)} if inside else {}
        alone = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        answer = subprocess.run(
            ["git", *arguments],  # noqa: S607  # the user's git, wherever it is
            check=True,
            input=given,
            stdout=subprocess.PIPE,
            env={**alone, **who, **when, **place},
        )
        return answer.stdout.decode("utf-8", "replace").strip()

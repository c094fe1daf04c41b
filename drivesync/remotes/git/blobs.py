"""Contents of a git repository: ``git cat-file --batch``, one process for each thread that reads."""

from __future__ import annotations

import queue
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import MovedError, TransientError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from drivesync.remotes.git.program import GitProgram


@dataclass(frozen=True, slots=True)
class _Reader:
    """A ``git cat-file --batch``: an id goes in, ``ID KIND SIZE`` and the content come out, with line feeds between."""

    life: ExitStack
    questions: IO[bytes]
    answers: IO[bytes]


class BlobReaders:
    """Reads blobs; safe to use from several threads.

    Args:
        git: in the repository that holds them.
    """

    def __init__(self, git: GitProgram) -> None:
        self._git = git
        self._idle: queue.SimpleQueue[_Reader] = queue.SimpleQueue()

    def close(self) -> None:
        """End the processes that wait for work."""
        while not self._idle.empty():
            self._idle.get().life.close()

    def blocks(self, action: str, blob_id: str) -> Generator[bytes, None, None]:
        """The content of a blob, from its beginning; close the iterator if not all of it is wanted.

        Raises:
            MovedError: it is not in the repository.
            TransientError: git was ended.
        """
        with self._reader(action) as reader:
            try:
                reader.questions.write(f"{blob_id}\n".encode("ascii"))
                reader.questions.flush()
            except BrokenPipeError as error:
                raise TransientError(f"{action}: git has ended") from error
            head = reader.answers.readline().split()
            if head[1:] == [b"missing"]:
                raise MovedError(f"{action}: it is not in the commit that was fetched")
            left = int(head[2]) + 1 if len(head) == 3 else 0
            while left:
                block = reader.answers.read(min(BLOCK_BYTES, left))
                left -= len(block)
                if not block:
                    break
                yield block if left else block[:-1]
            if left or not head:
                raise TransientError(f"{action}: git has ended")

    @contextmanager
    def _reader(self, action: str) -> Iterator[_Reader]:
        try:
            reader = self._idle.get_nowait()
        except queue.Empty:
            reader = self._start(action)
        try:
            yield reader
        except BaseException:
            # What it would say next belongs to another question.
            reader.life.close()
            raise
        self._idle.put(reader)

    def _start(self, action: str) -> _Reader:
        life = ExitStack()
        child = life.enter_context(self._git.serve(action, "cat-file", "--batch"))
        assert child.stdin is not None  # noqa: S101  # for the type checker: both are pipes
        assert child.stdout is not None  # noqa: S101
        return _Reader(life, child.stdin, child.stdout)

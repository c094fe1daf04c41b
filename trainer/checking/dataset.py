"""What is wrong with the images that a tree trains on and tests with: their lists, each image, each label.

Most of the time goes into opening files and reading headers, so for many images the work is shared out to processes.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from drivesync.errors import UnfinishedError
from trainer.checking.findings import Finding, Severity
from trainer.checking.folding import Folding
from trainer.checking.images import Ask, Inquiry, find_in_tree, look_at
from trainer.checking.lists import Listed, check_both, check_list, read_list
from trainer.checking.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trainer.checking.images import Answer
    from trainer.darknet.program import Flavour

NEGATIVES = "negatives.txt"
"""A list beside a list of images: those of them, or whole folders, that are known to show nothing."""

_QUOTES = "\"'`"

_SHARE = 250
"""Images that a worker gets at a time: some tens of milliseconds."""

_SHARED_FROM = 3000
_SHARED_FROM_DEEP = 300
"""With fewer images it is over before other processes have started."""

_MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is trained on.

    Attributes:
        train: the list of training images, as darknet takes it with the tree for its working directory.
        valid: the list of images for mAP, likewise.
        classes: how many there are.
        flavour: the darknet that will train.
        data: the .data file that names the lists, for the findings; empty where none does.
        train_line: of that file; 0 where it does not say, which is told already.
        valid_line: likewise.
    """

    train: str
    valid: str
    classes: int
    flavour: Flavour
    data: str = ""
    train_line: int = 0
    valid_line: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """What a list of images holds.

    Attributes:
        path: of the list.
        images: how many it names.
        usable: those with a box to learn from.
        negatives: those with an empty label.
        unlabelled: those without a label where darknet looks for it, missing images left out.
    """

    path: str
    images: int
    usable: int
    negatives: int
    unlabelled: int


def check_lists(tree: Path, dataset: Dataset) -> Iterator[Finding]:
    """Find what is wrong with the two lists themselves; no image is looked at.

    What is wrong with them as texts, their line ends say, is told by ``files``.
    """
    named: list[tuple[str, tuple[Listed, ...]]] = []
    for path in dict.fromkeys((dataset.train, dataset.valid)):
        raw = _read(tree, path)
        name = _name(tree, path)
        if raw is None:
            yield from _no_list(tree, dataset, path)
            continue
        found = check_list(name, raw, dataset.flavour)
        if find_in_tree(str(tree.absolute()), path) is None:
            found = (replace(finding, mendable=False) for finding in found)
        folding = Folding()
        yield from folding.sift(found)
        yield from folding.rest()
        named.append((name, read_list(raw)))
    if len(named) == 2:
        (train, trained), (valid, tested) = named
        folding = Folding()
        yield from folding.sift(check_both(train, trained, valid, tested))
        yield from folding.rest()
    elif named and dataset.train == dataset.valid and (dataset.valid_line or not dataset.data):
        ((path, images),) = named
        yield from check_both(path, images, path, images)


def check_dataset(
    tree: Path,
    dataset: Dataset,
    *,
    deep: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
    count: Callable[[Split], None] = lambda _split: None,
) -> Iterator[Finding]:
    """Find what is wrong with the lists, and with each image that they name and its label.

    Of one kind the first 20 of a list are told, and one finding stands for the rest.

    Args:
        tree: the darknet tree.
        dataset: what is trained on.
        deep: decode each image, rather than read its header only.
        tell: hears now and then how many images of how many have been looked at.
        count: hears of each list, once it has been gone through, what it holds.

    Raises:
        UnfinishedError: a worker was killed, or crashed at an image.
    """
    yield from check_lists(tree, dataset)
    lists = {path: _ask(tree, path) for path in dict.fromkeys((dataset.train, dataset.valid))}
    splits = {path: asks for path, asks in lists.items() if asks is not None}
    total = sum(map(len, splits.values()))
    done = 0
    tell(done, total)
    with _spread(total, deep=deep) as look_at_all:
        for path, asks in splits.items():
            inquiry = Inquiry(
                str(tree.absolute()), _name(tree, path), dataset.classes, dataset.flavour, deep=deep
            )
            folding = Folding()
            split = Split(inquiry.source, 0, 0, 0, 0)
            for answer in look_at_all(inquiry, asks):
                yield from folding.sift(answer.findings)
                split = _add(split, answer)
                tell(done + split.images, total)
            yield from folding.rest()
            if split.images and not split.usable:
                yield _nothing_usable(split, trained_on=path == dataset.train)
            done += split.images
            count(split)


@contextmanager
def _spread(total: int, *, deep: bool) -> Iterator[Callable[[Inquiry, Sequence[Ask]], Iterable[Answer]]]:
    """What looks at images in their order, here or in other processes."""
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    if workers == 1 or total < (_SHARED_FROM_DEEP if deep else _SHARED_FROM):
        yield lambda inquiry, asks: map(partial(look_at, inquiry), _shares(asks))
        return
    # Spawned, for who calls may have threads, and forking those is unsafe.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_work)
    try:
        yield lambda inquiry, asks: pool.map(partial(look_at, inquiry), _shares(asks))
    except BrokenProcessPool as error:
        hint = "See whether memory ran out, and run the same command again."
        raise UnfinishedError("a process that looked at images was killed", hint=hint) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_work() -> None:
    # Ctrl-C reaches all processes of a terminal; who has started the workers ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker holds both ends of the pipe that it gets its work from, and would wait there for ever.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _shares(asks: Sequence[Ask]) -> Iterator[tuple[Ask, ...]]:
    rest = iter(asks)
    while share := tuple(islice(rest, _SHARE)):
        yield share


def _ask(tree: Path, path: str) -> tuple[Ask, ...] | None:
    """The images of a list, and which of them are declared to show nothing; None if there is no such list."""
    raw = _read(tree, path)
    if raw is None:
        return None
    said = _read(tree, str(PurePosixPath(path).with_name(NEGATIVES))) or b""
    negatives = frozenset(listed.key for listed in read_list(said))
    return tuple(
        Ask(listed.line, listed.path, negative=bool(negatives) and _is_among(listed.key, negatives))
        for listed in read_list(raw)
    )


def _is_among(path: str, negatives: frozenset[str]) -> bool:
    return path in negatives or any(str(folder) in negatives for folder in PurePosixPath(path).parents)


def _read(tree: Path, path: str) -> bytes | None:
    """The content of a list; None if there is none that can be read."""
    place = tree / path
    try:
        return place.read_bytes() if place.is_file() else None
    except (OSError, ValueError):
        return None


def _name(tree: Path, path: str) -> str:
    return find_in_tree(str(tree.absolute()), path) or path


def _no_list(tree: Path, dataset: Dataset, path: str) -> Iterator[Finding]:
    trains = path == dataset.train
    key, line = ("train", dataset.train_line) if trains else ("valid", dataset.valid_line)
    if dataset.data and not line:
        return  # that the .data file does not name it has been said
    severity, images, effect = (
        (Severity.ERROR, "training images", "darknet ends at once; the original with exit status 0.")
        if trains
        else (
            Severity.WARNING,
            "images to test with",
            "darknet trains without it, and ends at the first mAP (-map).",
        )
    )
    said = f"{key} = {quote(path)[1:-1]}"
    what, fix = f"{said}: There is no such list of {images}.", "Write the list, or name another one here."
    if path.strip(_QUOTES) != path:
        what = f"{said} stands in quotes: There is no such list of {images}."
        effect = f"darknet takes them for a part of the name. {effect[0].upper()}{effect[1:]}"
        fix = "Delete the quotes."
    elif os.path.isdir(tree / path):  # noqa: PTH112 - as Path.is_dir, but it never raises
        what, fix = f"{said} is a directory.", f"Name the list of {images} in it: one path a line."
    elif os.path.exists(tree / path) and not os.path.isfile(tree / path):  # noqa: PTH110, PTH113 - likewise
        what = f"{said} is no file."
    yield Finding(
        severity, "list-missing", dataset.data or _name(tree, path), line or None, what, effect, fix
    )


def _nothing_usable(split: Split, *, trained_on: bool) -> Finding:
    return Finding(
        Severity.ERROR if trained_on else Severity.WARNING, "nothing-usable", split.path, None,
        f"None of its {split.images} images has a label with a box that darknet can use.",
        "darknet learns that there is nothing to find." if trained_on else "darknet's mAP says nothing (-map).",
        "Put the labels where darknet looks for them.",
    )  # fmt: skip


def _add(split: Split, answer: Answer) -> Split:
    return Split(
        split.path,
        images=split.images + answer.images,
        usable=split.usable + answer.usable,
        negatives=split.negatives + answer.negatives,
        unlabelled=split.unlabelled + answer.unlabelled,
    )

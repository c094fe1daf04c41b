"""Makes a tree that darknet can be trained in, of a folder of images with labels: first a plan, then the files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivesync.disk import check_tree, is_within, local_errors, lock_state
from drivesync.errors import LocalWriteError, SettingsError, UsageError
from trainer.config import STATE_FOLDER
from trainer.preparing.cfg_choice import CfgOrder, MadeCfg, make_network
from trainer.preparing.folder import list_images
from trainer.preparing.layout import lay_out
from trainer.preparing.placing import Standing, look_at_standing, place
from trainer.preparing.record import Record
from trainer.preparing.source import find_labels
from trainer.preparing.split import choose_tests
from trainer.preparing.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.progress import Reporter
    from trainer.preparing.annotations import Format, Picture
    from trainer.preparing.layout import Part

DEFAULT_TEST = 0.2
_LONGEST_NAME = 200
_SHOWN = 20
"""Of the files in the way."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        tree: which is made, or added to.
        images: the folder of images.
        labels: the folder of the labels, or a COCO file; None looks for them.
        format: of the labels; None finds out.
        names: of the classes, in their order; None takes what the labels, or a file beside them, name.
        negatives: whether an image without any label shows nothing.
        test: the share of the images to test with.
        seed: of the split, and of the search for anchors.
        cfg: how the network is to be.
    """

    tree: Path
    images: Path
    labels: Path | None = None
    format: Format | None = None
    names: tuple[str, ...] | None = None
    negatives: bool = False
    test: float = DEFAULT_TEST
    seed: int = 0
    cfg: CfgOrder = field(default_factory=CfgOrder)


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class: its boxes, and how many images of either list show it."""

    name: str
    boxes: int
    train: int
    test: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be in the tree.

    Attributes:
        tree: absolute.
        images: the folder of images, absolute.
        format: of the labels.
        survey: what there is to train on.
        notes: what people should know of the labels, as sentences.
        tests: paths, below the folder of images, of those to test with.
        shares: by class, in the classes' order.
        cfg: the .cfg.
        parts: the files.
    """

    tree: Path
    images: Path
    format: Format
    survey: Survey
    notes: tuple[str, ...]
    tests: frozenset[str]
    shares: tuple[ClassShare, ...]
    cfg: MadeCfg
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What was done.

    Attributes:
        written: files that were not there, or held something else.
        kept: files that were there already.
        deleted: images and labels of an earlier ``init`` that nobody has changed, and that are of no use any more.
    """

    written: int
    kept: int
    deleted: int


def plan_tree(order: Order, reporter: Reporter) -> Plan:
    """Read all images and labels, and plan the tree; nothing is written.

    Raises:
        UsageError: folders lie in each other, or nobody names the classes.
        NotFoundError: there are no images, no labels, or no such template.
        SettingsError: the labels and the names do not fit, or too few images are left to train on.
        LocalWriteError: the tree cannot become a folder, or a folder cannot be read.
    """
    tree, folder = order.tree.absolute(), order.images.absolute()
    check_tree(tree)
    _refuse_nested(tree, folder)
    if order.names is not None:
        _refuse_names(order.names)
    images = list_images(folder)
    labels = find_labels(folder, images, place=order.labels, wanted=order.format)
    found = survey(
        folder, images, labels, order.names, negatives=order.negatives, tell=_counting(reporter, "read")
    )
    _refuse_names(found.names)
    _refuse_few(found, folder)
    tests = choose_tests({one.path: one.classes for one in found.pictures}, order.test, order.seed)
    trained = [one for one in found.pictures if one.path not in tests]
    cfg = make_network(tree, order.cfg, trained, classes=len(found.names), seed=order.seed)
    return Plan(
        tree=tree,
        images=folder,
        format=labels.format,
        survey=found,
        notes=labels.notes,
        tests=tests,
        shares=_share(found.names, found.pictures, tests),
        cfg=cfg,
        parts=lay_out(found.pictures, tests, found.names, cfg.text),
    )


def look_at_tree(plan: Plan, reporter: Reporter) -> Standing:
    """What of the plan is done already, and what is in the way of it; nothing is written.

    Raises:
        LocalWriteError: a folder of the tree leads out of it, or a file cannot be read.
    """
    return look_at_standing(plan.tree, plan.images, plan.parts, tell=_counting(reporter, "compare"))


def refuse_obstacles(plan: Plan, standing: Standing, reporter: Reporter, *, force: bool) -> None:
    """See that the plan can be carried out.

    Args:
        plan: what is to be in the tree.
        standing: what is there.
        reporter: hears what is in the way.
        force: whether files that hold something else may be written over.

    Raises:
        LocalWriteError: something is in the way.
    """
    if standing.blocked:
        raise LocalWriteError(
            f"{standing.blocked[0]} in {plan.tree} is something else than it has to be",
            hint="Move it away; a plain file or folder is put in its place.",
        )
    if standing.in_the_way and not force:
        for path in standing.in_the_way[:_SHOWN]:
            reporter.note(f"in the way: {path}")
        number = len(standing.in_the_way)
        files = "1 file holds" if number == 1 else f"{number:,} files hold"
        raise LocalWriteError(
            f"{files} something else than {plan.tree} would get; nothing has been written",
            hint="Name another TREE, or write over them with --force.",
        )


def make_tree(plan: Plan, reporter: Reporter, *, force: bool = False) -> Made:
    """Write the tree; killed at any moment, the same plan goes on.

    Args:
        plan: what is to be in it.
        reporter: hears how far it is.
        force: write over files that hold something else, and take away what an earlier ``init`` has put there and
            nobody has changed since; nothing else is deleted.

    Raises:
        LocalWriteError: something is in the way, and nothing has been written; or the disk cannot take a file.
        UnfinishedError: another one is at it.
    """
    with local_errors(plan.tree):
        plan.tree.mkdir(parents=True, exist_ok=True)
    with lock_state(plan.tree, "init"):
        standing = look_at_tree(plan, reporter)
        refuse_obstacles(plan, standing, reporter, force=force)
        state = plan.tree / STATE_FOLDER
        with local_errors(state):
            state.mkdir(exist_ok=True)
        with Record(plan.tree) as record:
            place(
                plan.tree,
                plan.images,
                plan.parts,
                done=standing.done,
                record=record,
                tell=_counting(reporter, "write"),
            )
            deleted = record.drop({part.path for part in plan.parts}) if force else 0
            record.tidy()
    return Made(len(plan.parts) - len(standing.done), len(standing.done), deleted)


def _refuse_nested(tree: Path, folder: Path) -> None:
    sides = [tree / side for side in ("data/train", "data/test")]
    if any(is_within(folder, side) or is_within(side, folder) for side in sides):
        raise UsageError(
            f"the images in {folder} and those that {tree} gets would lie in one folder",
            hint="Put your images into a folder of their own, beside the tree say.",
        )


def _refuse_names(names: Sequence[str]) -> None:
    if not names:
        raise UsageError("there are no names of classes", hint="Name them: --names cat,dog.")
    for name in names:
        if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise SettingsError(
                f"{name[:_LONGEST_NAME]!r} is no name of a class", hint="A name is one line of text."
            )
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise SettingsError(f"two classes are called {twice}", hint="Name each class once.")


def _refuse_few(found: Survey, folder: Path) -> None:
    labelled = sum(bool(picture.boxes) for picture in found.pictures)
    if len(found.pictures) >= 2 and labelled:
        return
    why = f" The first that is left out: {found.left_out[0].reason}." if found.left_out else ""
    raise SettingsError(
        f"of the images in {folder} {len(found.pictures)} can be trained on, {labelled} of them with boxes",
        hint=f"A training needs two images, and something to find.{why}",
    )


def _share(
    names: Sequence[str], pictures: Sequence[Picture], tests: frozenset[str]
) -> tuple[ClassShare, ...]:
    boxes = Counter(box.class_index for picture in pictures for box in picture.boxes)
    train = Counter(index for picture in pictures if picture.path not in tests for index in picture.classes)
    test = Counter(index for picture in pictures if picture.path in tests for index in picture.classes)
    return tuple(
        ClassShare(name, boxes[index], train[index], test[index]) for index, name in enumerate(names)
    )


def _counting(reporter: Reporter, what: str) -> Callable[[int, int], None]:
    """Tells a reporter of a job that counts by itself how far it is."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        if told < 0:
            reporter.begin(what)
            reporter.expect(files=total)
            told = 0
        reporter.advance(files=done - told)
        told = done

    return tell

"""What ``init`` says of a tree that it has made, or would make: for people, and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivesync.cli.words import SHOWN, count
from trainer.config import DEFAULT_WEIGHTS
from trainer.preparing.layout import BACKUP, CFG, DATA, NAMES, TEST_LIST, TRAIN_LIST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.preparing.prepare import ClassShare, Made, Plan
    from trainer.preparing.survey import Survey


def report_lines(plan: Plan, made: Made | None) -> list[str]:
    """A few lines for people.

    Args:
        plan: what is in the tree.
        made: what was done; None where nothing was to be.
    """
    found = plan.survey
    tests = len(plan.tests)
    widest = max(len(name) for name in found.names)
    head = (
        f"{count(len(found.pictures), 'image')} with labels in {plan.format.value}'s format: "
        f"{len(found.pictures) - tests:,} to train with, {tests:,} to test with"
    )
    return [
        head,
        *(_describe_share(share, widest) for share in plan.shares),
        *_describe_survey(found),
        *plan.notes,
        *_describe_gaps(plan),
        _describe_cfg(plan),
        *_describe_made(plan, made),
    ]


def _describe_share(share: ClassShare, widest: int) -> str:
    boxes = f"{share.boxes:,} box{'' if share.boxes == 1 else 'es'}"
    return f"  {share.name:<{widest}}  {boxes} in {share.train:,} + {share.test:,} images"


def _describe_survey(found: Survey) -> list[str]:
    said = [
        (found.negatives, "show nothing (negatives)"),
        (found.turned, "are turned as their EXIF block asks"),
        (
            sum(one.redrawn for one in found.pictures) - found.turned,
            "are converted, for not each darknet reads them",
        ),
    ]
    lines = [f"  {number:,} of them {what}" for number, what in said if number > 0]
    if found.clipped:
        lines.append(f"{count(found.clipped, 'time')} a box reached out of its image, and does no more")
    if found.dropped:
        lines.append(f"{count(found.dropped, 'time')} a box without an area was left out")
    told = {one.path for one in found.pictures} | {one.path for one in found.left_out}
    forgotten = [path for path in found.unlabelled if path not in told]
    if forgotten:
        lines.append(
            f"left out: {count(len(forgotten), 'image')} without any label, {forgotten[0]} say "
            "(--negatives if they show nothing)"
        )
    if found.left_out:
        lines.append(f"left out: {count(len(found.left_out), 'image')} that cannot be used")
        lines += [f"  {one.reason}" for one in found.left_out[:SHOWN]]
        if len(found.left_out) > SHOWN:
            lines.append(f"  and {len(found.left_out) - SHOWN:,} more (--json lists all)")
    return lines


def _describe_gaps(plan: Plan) -> list[str]:
    never = [share.name for share in plan.shares if not share.train]
    untested = [share.name for share in plan.shares if share.train and not share.test]
    return [
        *([f"no image to train with shows {_name_some(never)}"] if never else []),
        *([f"no image to test with shows {_name_some(untested)}"] if untested else []),
    ]


def _name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more classes" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _describe_cfg(plan: Plan) -> str:
    network, anchors = plan.cfg.network, plan.cfg.anchors
    found = (
        f"anchors found by the boxes (mean IoU {anchors.mean_iou:.1%})"
        if anchors
        else "the template's anchors"
    )
    return (
        f"{CFG} from {plan.cfg.template}: {network.width} x {network.height}, batch {network.batch}, "
        f"subdivisions {network.subdivisions}, max_batches {network.max_batches}, {found}"
    )


def _describe_made(plan: Plan, made: Made | None) -> list[str]:
    places = f"data/train, data/test, {TRAIN_LIST}, {TEST_LIST}, {NAMES}, {DATA}, {CFG}, {BACKUP}/"
    if made is None:
        return [f"would be made in {plan.tree}: {places}"]
    if made.written:
        lines = [f"made in {plan.tree}: {places}"]
        if made.kept:
            lines.append(f"{count(made.kept, 'file')} of {len(plan.parts):,} had been there already")
    else:
        lines = [f"everything was there already in {plan.tree}"]
    if made.deleted:
        lines.append(f"deleted: {made.deleted:,} images and labels of an earlier init")
    return [*lines, *_describe_next(plan)]


def _describe_next(plan: Plan) -> list[str]:
    """What to do then; with the pretrained weights that the network wants, if any are published for it."""
    weights = plan.cfg.weights
    named = f" --weights {weights}" if weights not in {None, DEFAULT_WEIGHTS} else ""
    commands = f"trainer check{named}, trainer build, trainer supervise{named}"
    if weights is None or plan.cfg.weights_there:
        return [f"next: {commands}"]
    return [
        f"pretrained weights: {weights} is not in {plan.tree}; without it the training starts from random ones",
        f"next: put {weights} there, {commands}",
    ]


def describe(plan: Plan, made: Made | None) -> dict[str, Any]:
    """The same for machines; all images that are left out among it."""
    found, cfg = plan.survey, plan.cfg
    return {
        "tree": str(plan.tree),
        "images": str(plan.images),
        "format": plan.format.name.lower(),
        "train": len(found.pictures) - len(plan.tests),
        "test": len(plan.tests),
        "negatives": found.negatives,
        "unlabelled": list(found.unlabelled),
        "left_out": [{"image": one.path, "reason": one.reason} for one in found.left_out],
        "clipped": found.clipped,
        "dropped": found.dropped,
        "turned": found.turned,
        "classes": [
            {"name": one.name, "boxes": one.boxes, "train": one.train, "test": one.test}
            for one in plan.shares
        ],
        "notes": list(plan.notes),
        "cfg": {
            "template": cfg.template,
            "width": cfg.network.width,
            "height": cfg.network.height,
            "batch": cfg.network.batch,
            "subdivisions": cfg.network.subdivisions,
            "max_batches": cfg.network.max_batches,
            "anchors": [list(size) for size in cfg.anchors.sizes] if cfg.anchors else None,
            "mean_iou": cfg.anchors.mean_iou if cfg.anchors else None,
            "weights": cfg.weights,
            "weights_there": cfg.weights_there,
        },
        "files": len(plan.parts),
        "written": made.written if made else 0,
        "kept": made.kept if made else 0,
        "deleted": made.deleted if made else 0,
    }

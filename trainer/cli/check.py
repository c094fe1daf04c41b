"""``check``: what is wrong with a tree, before darknet starts; and what of it can be mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from drivesync.cli.arguments import AS_JSON, TREE, existing_tree
from drivesync.cli.running import interruptible
from drivesync.cli.words import count
from drivesync.progress import TerminalReporter, printable
from trainer.checking.check import check
from trainer.checking.findings import Severity, to_json
from trainer.checking.mending import describe_diff, mend, plan_mending
from trainer.config import DEFAULT_CFG, DEFAULT_DATA, DEFAULT_WEIGHTS, Wishes
from trainer.errors import TreeError

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.progress import Reporter
    from trainer.checking.check import Report
    from trainer.checking.dataset import Split
    from trainer.checking.findings import Finding
    from trainer.checking.mending import Mending
    from trainer.cli.arguments import Call


@click.command("check", short_help="Find what is wrong with the tree, before darknet starts.")
@TREE
@click.option("--data", help=f"The .data file, relative to TREE.  [default: {DEFAULT_DATA}]")
@click.option("--cfg", help=f"The .cfg file, relative to TREE.  [default: {DEFAULT_CFG}]")
@click.option(
    "--weights", help=f"Pretrained weights to start from.  [default: {DEFAULT_WEIGHTS} where it exists]"
)
@click.option("--darknet", help="The darknet program.  [default: TREE/darknet if executable, else on PATH]")
@click.option("--deep", is_flag=True, help="Decode each image, rather than read its header only.")
@click.option(
    "--fix",
    is_flag=True,
    help="Mend what needs no thought; what was there before stays beside it as NAME.orig.",
)
@click.option("--dry-run", is_flag=True, help="Show what --fix would change, and change nothing.")
@AS_JSON
@click.pass_obj
def check_command(
    call: Call,
    tree: Path | None,
    *,
    data: str | None,
    cfg: str | None,
    weights: str | None,
    darknet: str | None,
    deep: bool,
    fix: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read all that training with the darknet tree TREE would read, and say what is wrong: errors first.

    Each finding names the file and the line, says what darknet would do with it, and what to do about it. What is
    judged is what this darknet does, the original, AlexeyAB's or hank-ai's; where none is built yet, AlexeyAB's.
    An image that shows nothing has an empty label file; which ones are meant to, data/negatives.txt may say.

    --fix ends lines as Unix does, takes byte order marks away, mends lists of images, makes the directory for the
    weights, and empty labels for the images (or folders) that data/negatives.txt names. It shows first what it changes.

    \b
    trainer check                     in TREE /content/darknet or ./darknet
    trainer check --fix --dry-run     what could be mended, as a diff
    trainer check --deep mytree       decode each image, which takes minutes
    trainer check -- -map             as `trainer supervise -- -map` would train

    Exit status: 0 no errors, there may be warnings; 64 called wrongly; 66 no tree, or no such darknet; 73 cannot
    write locally; 78 errors were found.
    """
    wishes = Wishes(existing_tree(tree), data, cfg, weights, darknet, call.extra)
    mended: tuple[Mending, ...] = ()
    with TerminalReporter() as reporter, interruptible():
        report = check_tree(wishes, reporter, deep=deep)
        planned = plan_mending(report.tree, report.findings) if dry_run else ()
        if fix and not dry_run:
            mended = mend_tree(report, quiet=as_json)
        elif not as_json:
            _print_diffs(planned)
        if mended:
            report = check_tree(wishes, reporter, deep=deep)
    if as_json:
        mendings = _describe_mendings(mended or planned, mended=bool(mended))
        click.echo(json.dumps({**_describe(report), "mendings": mendings}))
    else:
        print_report(report)
    refuse(report)


def check_tree(wishes: Wishes, reporter: Reporter, *, deep: bool = False) -> Report:
    """Look at the tree, with progress; see ``trainer.checking.check.check``."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if not done:
            reporter.begin("check")
            reporter.expect(files=total)
            told = 0
        reporter.advance(files=done - told)
        told = done

    return check(wishes, deep=deep, tell=tell)


def mend_tree(report: Report, *, quiet: bool = False) -> tuple[Mending, ...]:
    """Mend what of a report's findings needs no thought, and say how; returned is what was mended.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    mendings = plan_mending(report.tree, report.findings)
    if not quiet:
        _print_diffs(mendings)
    originals = mend(report.tree, mendings) if mendings else ()
    if mendings and not quiet:
        kept = f"; what was there before is in {', '.join(originals)}" if originals else ""
        click.echo(printable(f"mended {count(len(mendings), 'file')}{kept}"))
    return mendings


def refuse(report: Report) -> None:
    """End with the status of a tree that has errors, if this one has.

    Raises:
        TreeError: it has.
    """
    if not report.passed:
        raise TreeError(
            f"{count(report.count(Severity.ERROR), 'error')} in {report.tree}", hint=_hint(report)
        )


def _print_diffs(mendings: tuple[Mending, ...]) -> None:
    for mending in mendings:
        click.echo("\n".join(printable(line) for line in describe_diff(mending).splitlines()))


def _hint(report: Report) -> str:
    mendable = any(finding.mendable for finding in report.findings)
    return "`trainer check --fix` mends a part of it." if mendable else ""


def _describe(report: Report) -> dict[str, Any]:
    return {
        "tree": str(report.tree),
        "darknet": report.flavour.name,
        "darknet_known": report.flavour_known,
        "passed": report.passed,
        "images": report.images,
        "negatives": report.negatives,
        "unlabelled": report.unlabelled,
        "lists": [
            {
                "path": split.path,
                "images": split.images,
                "usable": split.usable,
                "negatives": split.negatives,
                "unlabelled": split.unlabelled,
            }
            for split in report.splits
        ],
        "findings": [to_json(finding) for finding in report.findings],
    }


def _describe_mendings(mendings: tuple[Mending, ...], *, mended: bool) -> list[dict[str, Any]]:
    return [{"path": mending.path, "mended": mended, "diff": describe_diff(mending)} for mending in mendings]


def print_report(report: Report) -> None:
    """Print what was found, and a last line that sums it up."""
    for finding in report.findings:
        click.echo("\n".join(map(printable, _lines(finding))))
    for split in report.splits:
        click.echo(printable(_describe_split(split)))
    found = [count(report.count(severity), severity.value) for severity in Severity if report.count(severity)]
    by = f"by the rules of {report.flavour.value}" + (
        "" if report.flavour_known else ", for want of any other"
    )
    click.echo(f"check: {', '.join(found) or 'nothing is wrong'} ({by})")


def _describe_split(split: Split) -> str:
    said = [
        count(split.images, "image"),
        f"{split.usable:,} with boxes",
        f"{split.negatives:,} negative",
        *([f"{split.unlabelled:,} without a label"] if split.unlabelled else []),
    ]
    return f"{split.path}: {', '.join(said)}"


def _lines(finding: Finding) -> list[str]:
    more = f" (and {finding.count - 1:,} more)" if finding.count > 1 else ""
    return [
        f"{finding.severity.value}: {finding.place}: {finding.what}{more}",
        f"    {finding.effect}",
        f"    {finding.fix}{' (--fix does it)' if finding.mendable else ''}",
    ]

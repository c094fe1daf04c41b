"""Looks at all that a training will read, before darknet does, and says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from trainer.checking.backup import check_backup
from trainer.checking.datafile import check_data, check_names
from trainer.checking.dataset import Dataset, Split, check_dataset, check_lists
from trainer.checking.files import TextKind
from trainer.checking.findings import Finding, Severity, sort_findings
from trainer.checking.network import check_network, from_error
from trainer.checking.options import check_options
from trainer.checking.rows import find_line, read_options
from trainer.checking.starting import check_start
from trainer.checking.texts import ENDS, Texts
from trainer.config import DEFAULT_CFG, DEFAULT_DATA, find_program, resolve_run
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.data import parse_data
from trainer.darknet.labels import parse_image_list
from trainer.darknet.program import Flavour, flavour_of, train_arguments
from trainer.errors import NoDarknetError, TreeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.config import Wishes
    from trainer.darknet.cfg import Network
    from trainer.darknet.data import DataFile

_MAP = "-map"
"""darknet's flag to measure the mAP now and then; the original does not have it."""

_MISREAD = "No darknet can use it as it was meant."


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        tree: absolute.
        flavour: the darknet by whose rules the tree was judged.
        flavour_known: False where no darknet was found, or a script that does not tell which it calls: AlexeyAB's
            is assumed then.
        findings: errors first; see ``sort_findings``.
        splits: what the lists of images hold; none where images were not looked at.
    """

    tree: Path
    flavour: Flavour
    flavour_known: bool
    findings: tuple[Finding, ...]
    splits: tuple[Split, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings are so severe, those that are not listed among them."""
        return sum(one.count for one in self.findings if one.severity is severity)

    @property
    def passed(self) -> bool:
        """Whether darknet can be started: nothing is an error."""
        return not self.count(Severity.ERROR)

    @property
    def images(self) -> int:
        """How many images the lists name, both together."""
        return sum(split.images for split in self.splits)

    @property
    def negatives(self) -> int:
        """How many of them have an empty label."""
        return sum(split.negatives for split in self.splits)

    @property
    def unlabelled(self) -> int:
        """How many of them have no label where darknet looks for it."""
        return sum(split.unlabelled for split in self.splits)


def check(
    wishes: Wishes,
    *,
    deep: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """Find everything that is wrong with a tree; nothing is written.

    Args:
        wishes: what is to be trained, as for ``trainer.config.resolve_run``.
        deep: decode each image, rather than read its header only.
        quick: look at no image and no label, only at the files that name them.
        tell: hears now and then how many images of how many have been looked at.

    Raises:
        UnfinishedError: a process that looked at images was killed.
    """
    return _Check(wishes).run(deep=deep, quick=quick, tell=tell)


class _Check:
    """One look at a tree; ``findings`` grows as it goes on."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._tree = wishes.tree.resolve()
        self._refusal = _find_refusal(wishes)
        flavour = find_flavour(wishes)
        self._flavour, self._flavour_known = flavour or Flavour.AX, flavour is not None
        self._texts = Texts(self._tree, self._flavour)
        self._findings = self._texts.findings
        self._doubted: frozenset[int | None] = frozenset()  # lines of the cfg

    def run(self, *, deep: bool, quick: bool, tell: Callable[[int, int], None]) -> Report:
        """Look at everything once."""
        data = self._texts.place(self._wishes.data or DEFAULT_DATA)
        cfg = self._texts.place(self._wishes.cfg or DEFAULT_CFG)
        data_text = self._texts.read_main(data, TextKind.DATA)
        cfg_text = self._texts.read_main(cfg, TextKind.CFG)
        if cfg_text is not None:
            options = list(check_options(cfg_text, cfg, flavour=self._flavour))
            self._findings += options
            self._doubted = frozenset(one.line for one in options if one.severity is not Severity.NOTE)
        network = self._parse_cfg(cfg, cfg_text)
        said = self._check_data(data, data_text, cfg, network)
        classes = images = None
        if said is not None and data_text is not None:
            classes = said.classes if find_line(data_text, 0, "classes") else None
            self._findings += check_backup(self._tree, said.backup, data, data_text)
            self._check_names(said, data, data_text, classes)
            images = self._read_lists(said)
        if network is not None and cfg_text is not None:
            self._check_network(network, cfg, cfg_text, classes, images)
            self._findings += check_start(
                self._wishes, self._tree, network, said.backup if said else None, self._flavour
            )
        splits: list[Split] = []
        if said is not None:
            dataset = self._describe_dataset(said, data, data_text or "")
            self._findings += (
                check_lists(self._tree, dataset)
                if quick
                else check_dataset(self._tree, dataset, deep=deep, tell=tell, count=splits.append)
            )
        self._note_refusal(data, cfg)
        return Report(
            self._tree, self._flavour, self._flavour_known, sort_findings(self._findings), tuple(splits)
        )

    def _parse_cfg(self, path: str, text: str | None) -> Network | None:
        if text is None:
            return None
        try:
            return parse_cfg(text, path)
        except TreeError as error:
            self._refuse(error, path, ENDS)
            return None

    def _refuse(self, error: TreeError, path: str, effect: str) -> None:
        """What our own parsers refuse, unless the line has been found wrong already."""
        refused = from_error(error, path, effect)
        if refused.line is None or refused.line not in self._wrong_lines(path):
            self._findings.append(refused)

    def _wrong_lines(self, path: str) -> frozenset[int | None]:
        return frozenset(
            one.line for one in self._findings if one.path == path and one.severity is Severity.ERROR
        )

    def _describe_dataset(self, said: DataFile, path: str, text: str) -> Dataset:
        named = {option.key: option.line for option in reversed(list(read_options(text))) if option.value}
        return Dataset(
            said.train,
            said.valid,
            said.classes,
            self._flavour,
            data=path,
            train_line=named.get("train", 0),
            valid_line=named.get("valid", 0),
        )

    def _check_data(self, path: str, text: str | None, cfg: str, network: Network | None) -> DataFile | None:
        if text is None:
            return None
        found = list(
            check_data(
                text, path, base=PurePosixPath(cfg).stem, max_batches=network.max_batches if network else 0
            )
        )
        self._findings += found
        try:
            return parse_data(text, path)
        except TreeError as error:
            if all(one.severity is not Severity.ERROR for one in found):
                self._findings.append(from_error(error, path, _MISREAD, "data"))
            return None

    def _check_names(self, said: DataFile, data: str, data_text: str, classes: int | None) -> None:
        line = find_line(data_text, 0, "names")
        path = self._texts.place(said.names)
        if self._texts.exists(path):
            text = self._texts.read(path, TextKind.NAMES)
            if text is not None and classes is not None:
                self._findings += check_names(text, path, classes=classes, fatal=self._needs_names())
        elif line:  # otherwise names= is missing, which has been said
            self._add(
                Severity.ERROR if self._needs_names() else Severity.WARNING,
                "no-file",
                data,
                f"There is no {said.names}, which names= names.",
                "hank-ai's darknet ends at the start, AlexeyAB's at its first mAP; detections have no names.",
                "Write the classes' names there, one a line.",
                line=line,
            )

    def _needs_names(self) -> bool:
        """Whether darknet ends where there are not as many names as classes."""
        maps = self._flavour is Flavour.AX and _MAP in self._wishes.extra
        return maps or self._flavour is Flavour.HK

    def _read_lists(self, said: DataFile) -> int | None:
        """Look at the lists as texts; returns how many images there are to train with, None where nobody can say."""
        count = None
        for path in dict.fromkeys((said.train, said.valid)):
            if self._texts.exists(path):  # otherwise ``check_lists`` says so
                text = self._texts.read(path, TextKind.LIST)
                if text is not None and path == said.train:
                    count = len(parse_image_list(text))
        return count

    def _check_network(
        self, network: Network, path: str, text: str, classes: int | None, images: int | None
    ) -> None:
        told = self._doubted | self._wrong_lines(path)  # what darknet makes of such a line is no news
        try:
            for finding in check_network(
                network, text, path, classes=classes, images=images, flavour=self._flavour
            ):
                if finding.line not in told:
                    self._findings.append(finding)
        except TreeError as error:
            self._refuse(error, path, ENDS)

    def _note_refusal(self, data: str, cfg: str) -> None:
        """What ``supervise`` would refuse, and nothing here has called an error."""
        if self._refusal and all(one.severity is not Severity.ERROR for one in self._findings):
            path = next((path for path in (data, cfg) if str(self._refusal).startswith(path)), ".")
            self._findings.append(from_error(self._refusal, path, "It is not started.", "refused"))

    def _add(
        self, severity: Severity, code: str, path: str, what: str, effect: str, fix: str,
        *, line: int | None = None, mendable: bool = False,
    ) -> None:  # fmt: skip
        self._findings.append(Finding(severity, code, path, line, what, effect, fix, mendable))


def _find_refusal(wishes: Wishes) -> TreeError | None:
    """What ``supervise`` would refuse to start for.

    Raises:
        NoDarknetError: the user has named a darknet, and it is none.
    """
    try:
        run = resolve_run(wishes)
        train_arguments(run.flavour, data=run.data, cfg=run.cfg, weights=run.pretrained, extra=run.extra)
    except NoDarknetError:
        if wishes.darknet:
            raise
    except TreeError as error:
        return error
    except (OSError, ValueError, RuntimeError):
        pass  # a path that no disk takes, or a loop of links: what names it has been told of
    return None


def find_flavour(wishes: Wishes) -> Flavour | None:
    """Which darknet would train, also where the tree is too wrong to be trained; None where nothing tells."""
    try:
        return flavour_of(find_program(wishes.tree.resolve(), wishes.darknet).read_bytes())
    except (NoDarknetError, OSError):
        return None

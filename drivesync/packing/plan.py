"""What is packed, decided as a value before anything moves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.pulling.manifest import MOST_MEMBERS, tar_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from drivesync.files import RemoteFile
    from drivesync.pulling.manifest import Manifest, Member, Pack

    _Key: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class PackingLimits:
    """What packs are like.

    Attributes:
        most_file_bytes: a larger file comes singly, nearly as fast.
        aim_bytes: a pack's size where there is enough for several; each is from 3/4 to 3/2 of it then.
        small_pack_bytes: one of fewer is small.
        most_small_packs: where there are more they are put together.
        most_dead_share: of the packed bytes, before packs are written anew.
        least_files: fewer new ones come as fast singly.
        most_files: in all packs together.
    """

    most_file_bytes: int = 1 << 20
    aim_bytes: int = 64 << 20
    small_pack_bytes: int = 32 << 20
    most_small_packs: int = 8
    most_dead_share: float = 0.25
    least_files: int = 2
    most_files: int = MOST_MEMBERS


DEFAULT_LIMITS = PackingLimits()


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """What a packing will do.

    Attributes:
        new: the files of each new pack, by path.
        keep: packs that stay, as the manifest has them.
        drop: packs that go when the new manifest is there: nothing in them lives, or it is written anew.
        absent: small files that are in no pack and cannot be packed, since they are not here.
        dead_share: of the packed bytes, before; 0.0 to 1.0.
        rewrite: ``new`` holds files of packs that are written anew.
    """

    new: tuple[tuple[RemoteFile, ...], ...]
    keep: tuple[Pack, ...]
    drop: tuple[Pack, ...]
    absent: int
    dead_share: float
    rewrite: bool

    @property
    def new_files(self) -> int:
        """So many go into new packs."""
        return sum(map(len, self.new))

    @property
    def new_bytes(self) -> int:
        """So large are the new packs together, but for long names."""
        return sum(_packed_bytes(files) for files in self.new)

    @property
    def is_empty(self) -> bool:
        """There is nothing to do."""
        return not (self.new or self.drop)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A pack, and those of its members that files of now have; each file has one such member."""

    pack: Pack
    live: tuple[Member, ...]

    @property
    def bytes(self) -> int:
        return sum(tar_bytes(member.size) for member in self.pack.members)

    @property
    def dead_bytes(self) -> int:
        return self.bytes - sum(tar_bytes(member.size) for member in self.live)


def plan_packing(
    files: Iterable[RemoteFile],
    manifest: Manifest,
    limits: PackingLimits = DEFAULT_LIMITS,
    *,
    is_here: Callable[[RemoteFile], bool] = lambda _file: True,
) -> PackingPlan:
    """Have every small file that is here in a pack, and not much in packs that is dead.

    New files make new packs. Where more than a quarter of what stays is dead, the packs with the most of it are
    written anew, and so are many small ones; never one of which something could not be packed again.

    Args:
        files: what the remote holds, large files included.
        manifest: of packs that are there.
        limits: see ``PackingLimits``.
        is_here: whether a file's content can be packed; asked of small files only, and only where it matters.
    """
    small = {_key(file): file for file in files if file.md5 and 0 < file.size <= limits.most_file_bytes}
    standings = list(_stand(manifest, small.keys()))
    lasting = [standing for standing in standings if standing.live]
    movable = [one for one in lasting if all(is_here(small[_key_of(member)]) for member in one.live)]
    anew = [one for one in _choose_half_dead(lasting, limits) if one in movable]
    draft = _draft(small, lasting, anew, limits, is_here)
    if draft.small_packs > limits.most_small_packs:
        together = [
            *anew,
            *(one for one in movable if one.pack in draft.keep and _is_small(one.pack, limits)),
        ]
        other = _draft(small, lasting, together, limits, is_here)
        if other.small_packs < draft.small_packs:
            draft = other
    all_bytes = sum(standing.bytes for standing in standings)
    return PackingPlan(
        new=draft.new,
        keep=draft.keep,
        drop=tuple(standing.pack for standing in standings if standing.pack not in draft.keep),
        absent=draft.absent,
        dead_share=sum(standing.dead_bytes for standing in standings) / all_bytes if all_bytes else 0.0,
        rewrite=any(standing.pack not in draft.keep for standing in lasting),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """What would be if certain packs were written anew; ``small_packs`` would be small then, new ones and old."""

    new: tuple[tuple[RemoteFile, ...], ...]
    keep: tuple[Pack, ...]
    absent: int
    small_packs: int


def _draft(
    small: Mapping[_Key, RemoteFile],
    lasting: Sequence[_Standing],
    anew: Sequence[_Standing],
    limits: PackingLimits,
    is_here: Callable[[RemoteFile], bool],
) -> _Draft:
    staying = [standing for standing in lasting if standing not in anew]
    kept = {_key_of(member) for standing in staying for member in standing.live}
    homeless = [file for key, file in small.items() if key not in kept]
    fresh = sorted((file for file in homeless if is_here(file)), key=lambda file: file.path)
    room = max(limits.most_files - sum(len(standing.pack.members) for standing in staying), 0)
    new = tuple(_divide(fresh[:room], limits)) if len(fresh) >= limits.least_files else ()
    keep = tuple(standing.pack for standing in staying)
    small_packs = sum(_is_small(pack, limits) for pack in keep)
    small_packs += sum(_packed_bytes(files) < limits.small_pack_bytes for files in new)
    return _Draft(new, keep, len(homeless) - len(fresh), small_packs)


def _key(file: RemoteFile) -> _Key:
    return file.id, file.md5, file.size


def _key_of(member: Member) -> _Key:
    return member.file_id, member.md5, member.size


def _stand(manifest: Manifest, wanted: Iterable[_Key]) -> Iterator[_Standing]:
    """Each pack with its live members; of a content that is in two it lives in the first, from which it is read."""
    left = set(wanted)
    for pack in manifest.packs:
        live = tuple(member for member in pack.members if _key_of(member) in left)
        left.difference_update(map(_key_of, live))
        yield _Standing(pack, live)


def _choose_half_dead(lasting: Sequence[_Standing], limits: PackingLimits) -> list[_Standing]:
    """The packs that should be written anew for what is dead in them."""
    all_bytes = sum(standing.bytes for standing in lasting)
    dead_bytes = sum(standing.dead_bytes for standing in lasting)
    if dead_bytes <= limits.most_dead_share * all_bytes:
        return []
    # What has little that is dead can stay: all together then have no more than that.
    return [one for one in lasting if 2 * one.dead_bytes > limits.most_dead_share * one.bytes]


def _is_small(pack: Pack, limits: PackingLimits) -> bool:
    return pack.size < limits.small_pack_bytes


def _divide(files: Sequence[RemoteFile], limits: PackingLimits) -> Iterator[tuple[RemoteFile, ...]]:
    """``files``, in their order, in portions of nearly the same size."""
    total = _packed_bytes(files)
    portions = max(round(total / limits.aim_bytes), 1)
    portion: list[RemoteFile] = []
    filled = done = 0
    for file in files:
        portion.append(file)
        filled += tar_bytes(file.size)
        if filled * portions >= total * (done + 1):
            yield tuple(portion)
            portion = []
            done += 1
    if portion:
        yield tuple(portion)


def _packed_bytes(files: Iterable[RemoteFile]) -> int:
    return sum(tar_bytes(file.size) for file in files)

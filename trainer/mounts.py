"""Which file system a path lies on, and whether a training there is in danger. Pure.

Told by ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)), never by what a path is called: a Drive may be mounted
anywhere, and a folder of this disk may be called ``drive``.

What counts as what:

=====================================  ======  =======================================================================
file system                            local?  why
=====================================  ======  =======================================================================
``fuse.*`` and ``fuse`` of any other   no      A program answers, most often for a cloud: fsync is answered from its
name: ``fuse.drive`` (Colab),                  cache, uploads come later and are lost with the session, and the program
``fuse.rclone``, ``fuse.gcsfuse``,             may end ("Transport endpoint is not connected"). Without a name: MooseFS
``fuse.s3fs``, ``fuse.gvfsd-fuse``             (``mfs#``), davfs2, Kubernetes' gcsfuse.
``fuseblk``, ``fuse.ntfs-3g``,         yes     A program on top of a disk or folder of this machine. What lies beneath a
``fuse.mergerfs``,                             layer (mergerfs, bindfs, gocryptfs) its entry does not say.
``fuse.fuse-overlayfs``, ...
``nfs``, ``nfs4``, ``cifs``, ``smb3``  no      A save that the network cuts stays as it is, and darknet checks no write;
``afs``, ``ceph``, ``coda``, ...               locks may hold on one machine only, pids are of whichever wrote last; a
                                               round trip for each of thousands of small images.
``lustre``, ``beegfs``, ``gpfs``,      no      Fast and coherent, but flock needs a mount option there or holds on one
``wekafs``, ...                                machine only, and without it two machines train one tree.
``9p``, ``drvfs`` (``/mnt/c`` in WSL), yes     A disk of the very machine that this one runs in. Slow at times, but what
``virtiofs``, ``vboxsf``,                      is written stays when the session ends. gVisor calls its own root 9p.
``fuse.grpcfuse``, ...                         Not so 9p over TCP or RDMA: that is a network.
``autofs``                             no      Nothing could be mounted there, and what belongs there comes from afar.
``overlay``, ``ext4``, ``tmpfs``, all  yes     Where else?
others
=====================================  ======  =======================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPED = re.compile(r"\\([0-7]{3})")

_CLOUD = "what is written there is uploaded later, and what was not yet is lost with the session"
_NETWORK = "a save that the network cuts short is kept as it is, locks may not hold, and many images are slow to read"

_LOCAL_FUSE = frozenset(
    {
        "apfs-fuse",
        "archivemount",
        "bindfs",
        "cryfs",
        "dislocker",
        "encfs",
        "exfat",
        "exfat-fuse",
        "ext2",
        "ext4",
        "fuse-overlayfs",
        "fuse-zip",
        "fuse2fs",
        "gocryptfs",
        "lowntfs-3g",
        "lxcfs",
        "mergerfs",
        "mhddfs",
        "ntfs",
        "ntfs-3g",
        "portal",
        "snapfuse",
        "squashfuse",
        "squashfuse_ll",
        "unionfs",
        "unionfs-fuse",
        "zfs-fuse",
        # A folder of the machine that this one runs in: Docker Desktop, Parallels, VMware.
        "grpcfuse",
        "osxfs",
        "prl_fsd",
        "vmhgfs-fuse",
        "vmware-vmblock",
    }
)
_FUSE = {
    "drive": ("a mounted Google Drive", _CLOUD),
    "google-drive-ocamlfuse": ("a mounted Google Drive", _CLOUD),
    "onedriver": ("a mounted OneDrive", _CLOUD),
    "rclone": ("a cloud storage mounted by rclone", _CLOUD),
    "gcsfuse": ("a mounted bucket", _CLOUD),
    "geesefs": ("a mounted bucket", _CLOUD),
    "goofys": ("a mounted bucket", _CLOUD),
    "mountpoint-s3": ("a mounted bucket", _CLOUD),
    "s3fs": ("a mounted bucket", _CLOUD),
    "blobfuse": ("a mounted bucket", _CLOUD),
    "blobfuse2": ("a mounted bucket", _CLOUD),
    "davfs": ("a WebDAV share", _NETWORK),
    "glusterfs": ("a GlusterFS volume", _NETWORK),
    "juicefs": ("a JuiceFS volume", _NETWORK),
    "sshfs": ("a folder mounted over SSH", _NETWORK),
}
_NETWORKS = {
    "nfs": "an NFS share",
    "nfs4": "an NFS share",
    "cifs": "a Windows share",
    "smb3": "a Windows share",
    "smbfs": "a Windows share",
    "autofs": "a share that is not mounted",
    **dict.fromkeys(("afs", "ceph", "coda", "ncpfs", "orangefs", "pvfs2"), "a network disk"),
    **dict.fromkeys(("beegfs", "gpfs", "lustre", "panfs", "wekafs"), "a cluster's disk"),
}
_NETWORK_TRANSPORT = re.compile(r"(?:^|,)trans=(?:tcp|rdma)(?:,|$)")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo.

    Attributes:
        id: of this mount.
        parent: of the mount that it was mounted on, which need not be listed.
        point: where it is, absolute.
        kind: the file system, a FUSE's own name behind a dot: "ext4", "nfs4", "fuse.drive".
        source: what is mounted, as the file system calls it.
        options: of the file system, separated by commas.
    """

    id: int
    parent: int
    point: str
    kind: str
    source: str = ""
    options: str = ""


@dataclass(frozen=True, slots=True)
class Danger:
    """A file system that is no place to train.

    Attributes:
        called: what it is, for people: "a mounted Google Drive (fuse.drive)".
        why: what happens to those who train there.
    """

    called: str
    why: str


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """The mounts in the order of ``text``; what is no line of mountinfo is passed over."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        where, what = before.split(" "), after.split(" ")
        if len(where) >= 6 and len(what) >= 3 and where[0].isdecimal() and where[1].isdecimal():
            kind, source, options = what[:3]
            mount = Mount(int(where[0]), int(where[1]), _unescape(where[4]), kind, _unescape(source), options)
            mounts.append(mount)
    return tuple(mounts)


def find_holder(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that ``path`` is on; None where no mount holds it.

    Walked down from the root as the kernel does it: of two mounts at one place the later one counts, and one that
    another was mounted over, further up, no longer does.

    Args:
        path: absolute, without links; it need not exist.
        mounts: of ``parse_mountinfo``.
    """
    left = [mount for mount in mounts if _holds(mount.point, path)]
    listed = {mount.id for mount in mounts}
    # In a chroot the root's own mount is not listed; an initramfs is its own parent.
    below = [mount for mount in left if mount.parent not in listed or mount.parent == mount.id]
    here: Mount | None = None
    while below:
        here = min(below, key=lambda mount: len(mount.point))
        left.remove(here)
        below = [mount for mount in left if mount.parent == here.id]
    return here


def find_danger(mount: Mount) -> Danger | None:
    """Why not to train there; None where nothing speaks against it. See the table above."""
    kind, _, name = mount.kind.partition(".")
    if kind == "fuse":
        if name in _LOCAL_FUSE:
            return None
        called, why = _FUSE.get(name, ("a file system that a program provides", _CLOUD))
    elif kind == "9p" and _NETWORK_TRANSPORT.search(mount.options):
        called, why = "a network disk", _NETWORK
    elif mount.kind in _NETWORKS:
        called, why = _NETWORKS[mount.kind], _NETWORK
    else:
        return None
    return Danger(f"{called} ({mount.kind})", why)


def name_on_drive(path: str, mount: Mount) -> str:
    """What ``path`` is called as a folder of Google Drive itself; empty where it is none, or cannot be told.

    Colab's mount shows My Drive and the shared drives as folders.
    """
    below = path[len(mount.point.rstrip("/")) + 1 :]
    first, _, rest = below.partition("/")
    is_drive = mount.kind == "fuse.drive" and first in {
        "MyDrive",
        "My Drive",
        "Shareddrives",
        "Shared drives",
    }
    return below if is_drive and rest else ""


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(f"{point.rstrip('/')}/")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)

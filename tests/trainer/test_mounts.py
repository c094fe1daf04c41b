from __future__ import annotations

import pytest

from trainer.mounts import Mount, find_danger, find_holder, name_on_drive, parse_mountinfo

COLAB = """\
655 530 0:67 / / rw,relatime master:213 - overlay overlay rw,lowerdir=/docker/l/A,upperdir=/docker/B/diff
656 655 0:71 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
700 655 8:1 /var/lib/docker/containers/c/hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw,commit=30
712 655 0:90 / /content/drive rw,nosuid,nodev,relatime - fuse.drive drive rw,user_id=0,group_id=0,allow_other
"""
WSL = """\
30 0 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard,errors=remount-ro
84 30 0:58 / /mnt/c rw,noatime - 9p drvfs rw,dirsync,aname=drvfs;path=C:\\;uid=1000;symlinkroot=/mnt/,mmap,trans=virtio
85 30 0:59 / /mnt/z rw,noatime - cifs //nas/z rw,vers=3.1.1
"""
HOME = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:50 / /home rw,relatime shared:2 - autofs systemd-1 rw,fd=30,pgrp=1,timeout=0,minproto=5,maxproto=5,direct
24 23 0:51 / /home rw,relatime shared:3 - nfs4 server:/export/home rw,vers=4.1,hard,proto=tcp
25 24 8:2 / /home/me/disk rw,relatime shared:4 - xfs /dev/sdb1 rw
26 22 0:53 / /media/My\\040Drive rw,nosuid - fuse.rclone gdrive: rw,user_id=1000
27 22 8:17 / /media/usb rw,nosuid shared:9 - fuseblk /dev/sdb2 rw,user_id=0
28 22 0:60 / /old/share rw - nfs server:/old rw
29 22 8:3 / /old rw - ext4 /dev/sdc1 rw
30 24 8:1 /srv/trees /home/me/bound rw,relatime shared:1 - ext4 /dev/sda1 rw
31 22 0:51 /me /srv/remote rw,relatime shared:3 - nfs4 server:/export/home rw
"""
CHROOT = """\
900 77 0:5 / /dev rw - devtmpfs dev rw
901 77 0:60 / /work rw - nfs server:/work rw
902 901 0:61 / /work/scratch rw - tmpfs tmpfs rw
"""
GVISOR = "1 0 0:12 / / rw - 9p none rw,trans=fd,rfdno=4,wfdno=4,aname=/,dfltuid=4294967294,cache=remote_revalidating\n"
INITRAMFS = "1 1 0:2 / / rw - rootfs rootfs rw\n2 1 0:9 / /data rw - ceph 10.0.0.1:/ rw\n"


@pytest.mark.parametrize(
    ("text", "path", "kind"),
    [
        pytest.param(COLAB, "/content/darknet", "overlay", id="Colab's disk"),
        pytest.param(COLAB, "/content/drive/MyDrive/darknet", "fuse.drive", id="Colab's Drive"),
        pytest.param(COLAB, "/content/drive", "fuse.drive", id="a mount point is on its mount"),
        pytest.param(COLAB, "/content/drive2/darknet", "overlay", id="a name that only begins like it"),
        pytest.param(COLAB, "/", "overlay", id="the root"),
        pytest.param(WSL, "/home/me/darknet", "ext4", id="WSL"),
        pytest.param(WSL, "/mnt/c/Users/me/darknet", "9p", id="Windows's disk in WSL"),
        pytest.param(HOME, "/home/me/darknet", "nfs4", id="mounted over its own autofs"),
        pytest.param(HOME, "/home/me/disk/darknet", "xfs", id="a disk within a share"),
        pytest.param(HOME, "/media/My Drive/darknet", "fuse.rclone", id="a space"),
        pytest.param(HOME, "/old/share/darknet", "ext4", id="a share that a disk was mounted over"),
        pytest.param(HOME, "/home/me/bound/darknet", "ext4", id="a folder of the disk bound into a share"),
        pytest.param(HOME, "/srv/remote/darknet", "nfs4", id="a folder of a share bound into the disk"),
        pytest.param(CHROOT, "/work/darknet", "nfs", id="the root's mount is not listed"),
        pytest.param(CHROOT, "/work/scratch/darknet", "tmpfs", id="a mount in that"),
        pytest.param(CHROOT, "/darknet", None, id="on the mount that is not listed"),
        pytest.param(INITRAMFS, "/data/darknet", "ceph", id="a root that is its own parent"),
        pytest.param(GVISOR, "/darknet", "9p", id="gVisor"),
        pytest.param("", "/darknet", None, id="nothing"),
    ],
)
def test_which_mount_holds_a_path(text: str, path: str, kind: str | None) -> None:
    holder = find_holder(path, parse_mountinfo(text))
    assert (holder.kind if holder else None) == kind


def test_what_is_no_line_of_mountinfo_is_passed_over() -> None:
    text = (
        "\n7 x 0:1 / / rw - ext4 a rw\n22 1 8:1 / / rw - ext4\n22 1 8:1 /\n22 1 8:1 / /a\\134b rw -  x\n"
        + GVISOR
    )
    assert [mount.point for mount in parse_mountinfo(text)] == ["/"]


def test_a_line_with_optional_fields_and_escapes() -> None:
    line = r"26 22 0:53 /in\040it /a\011b\134c rw,nosuid shared:1 master:2 - fuse.rclone my\040drive: rw,user_id=1000"
    assert parse_mountinfo(line) == (
        Mount(26, 22, "/a\tb\\c", "fuse.rclone", "my drive:", "rw,user_id=1000"),
    )


@pytest.mark.parametrize(
    ("kind", "options", "called"),
    [
        pytest.param("fuse.drive", "", "a mounted Google Drive (fuse.drive)", id="Colab"),
        pytest.param(
            "fuse.google-drive-ocamlfuse",
            "",
            "a mounted Google Drive (fuse.google-drive-ocamlfuse)",
            id="ocamlfuse",
        ),
        pytest.param("fuse.rclone", "", "a cloud storage mounted by rclone (fuse.rclone)", id="rclone"),
        pytest.param("fuse.gcsfuse", "", "a mounted bucket (fuse.gcsfuse)", id="gcsfuse"),
        pytest.param("fuse.s3fs", "", "a mounted bucket (fuse.s3fs)", id="s3fs"),
        pytest.param("fuse.sshfs", "", "a folder mounted over SSH (fuse.sshfs)", id="sshfs"),
        pytest.param("fuse.glusterfs", "", "a GlusterFS volume (fuse.glusterfs)", id="glusterfs"),
        pytest.param(
            "fuse.new-cloud",
            "",
            "a file system that a program provides (fuse.new-cloud)",
            id="any other FUSE",
        ),
        pytest.param(
            "fuse", "", "a file system that a program provides (fuse)", id="a FUSE without a name, as MooseFS"
        ),
        pytest.param("nfs", "", "an NFS share (nfs)", id="NFS"),
        pytest.param("nfs4", "", "an NFS share (nfs4)", id="NFS 4"),
        pytest.param("cifs", "", "a Windows share (cifs)", id="CIFS"),
        pytest.param("smb3", "", "a Windows share (smb3)", id="SMB 3"),
        pytest.param("afs", "", "a network disk (afs)", id="AFS"),
        pytest.param("ceph", "", "a network disk (ceph)", id="Ceph"),
        pytest.param("lustre", "", "a cluster's disk (lustre)", id="Lustre"),
        pytest.param("beegfs", "", "a cluster's disk (beegfs)", id="BeeGFS"),
        pytest.param("9p", "rw,trans=tcp,port=564", "a network disk (9p)", id="9p over TCP"),
        pytest.param("autofs", "", "a share that is not mounted (autofs)", id="autofs with nothing over it"),
        pytest.param("9p", "rw,trans=virtio", "", id="a folder of the host, or WSL's disks"),
        pytest.param("9p", "rw,aname=x;path=trans=tcp;,trans=fd", "", id="9p whose path speaks of TCP"),
        pytest.param("virtiofs", "", "", id="virtiofs"),
        pytest.param("vboxsf", "", "", id="VirtualBox"),
        pytest.param("fuse.grpcfuse", "", "", id="Docker Desktop"),
        pytest.param("fuseblk", "", "", id="an NTFS or exFAT disk"),
        pytest.param("fuse.ntfs-3g", "", "", id="an NTFS image"),
        pytest.param("fuse.mergerfs", "", "", id="mergerfs"),
        pytest.param("fuse.fuse-overlayfs", "", "", id="a container without root"),
        pytest.param("overlay", "", "", id="a container"),
        pytest.param("ext4", "", "", id="ext4"),
        pytest.param("tmpfs", "", "", id="tmpfs"),
        pytest.param("zfs", "", "", id="ZFS"),
    ],
)
def test_which_file_systems_are_in_danger(kind: str, options: str, called: str) -> None:
    danger = find_danger(Mount(2, 1, "/mnt", kind, "source", options))
    assert (danger.called if danger else "") == called


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        pytest.param(
            "fuse.drive", "/content/drive/MyDrive/work/darknet", "MyDrive/work/darknet", id="My Drive"
        ),
        pytest.param(
            "fuse.drive",
            "/content/drive/Shareddrives/Lab/darknet",
            "Shareddrives/Lab/darknet",
            id="a shared drive",
        ),
        pytest.param("fuse.drive", "/content/drive/MyDrive", "", id="all of My Drive"),
        pytest.param(
            "fuse.drive", "/content/drive/.shortcut-targets-by-id/1/darknet", "", id="by a shortcut"
        ),
        pytest.param("fuse.drive", "/content/drive", "", id="the mount"),
        pytest.param("fuse.rclone", "/content/drive/MyDrive/darknet", "", id="another program's names"),
    ],
)
def test_what_a_folder_is_called_on_drive(kind: str, path: str, name: str) -> None:
    assert name_on_drive(path, Mount(2, 1, "/content/drive", kind)) == name

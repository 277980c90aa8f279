"""On which file system and which block device a path lies, from /proc/self/mountinfo and /sys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kfast.lab.unavailable import Unavailable, reason_of

MOUNTINFO = Path("/proc/self/mountinfo")
SYS_BLOCK = Path("/sys/dev/block")
MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs", "hugetlbfs"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo: where it is mounted, what kind of file system, and from what."""

    directory: str
    filesystem: str
    source: str

    @property
    def is_memory(self) -> bool:
        """Whether its files have no disk under them."""
        return self.filesystem in MEMORY_FILESYSTEMS


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """What the kernel says of a disk. `is_rotational` is the driver's word: virtual disks say what they like."""

    name: str
    is_virtual: bool
    is_rotational: bool
    read_ahead_bytes: int
    scheduler: str

    @property
    def kind(self) -> str:
        """In words, and no more than is known."""
        if self.is_virtual:
            return f"virtual disk {self.name}: what lies under it is the host's business"
        if self.name.startswith("nvme"):
            return f"NVMe flash {self.name}"
        return f"{'rotating disk' if self.is_rotational else 'flash (SSD)'} {self.name}"


def mount_of(path: str | os.PathLike[str]) -> Mount | Unavailable:
    """The mount that holds `path`: the last one listed of those whose directory is longest."""
    try:
        lines = MOUNTINFO.read_text().splitlines()
    except OSError as error:
        return Unavailable(reason_of(error))
    resolved = os.path.realpath(path)
    best: Mount | Unavailable = Unavailable(f"no mount in {MOUNTINFO} holds {resolved}")
    for line in lines:
        mount = _parse(line)
        holds = resolved == mount.directory or resolved.startswith(mount.directory.rstrip("/") + "/")
        if holds and (isinstance(best, Unavailable) or len(mount.directory) >= len(best.directory)):
            best = mount
    return best


def device_number(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Major and minor number of the block device under `path`. Raises OSError where there is none to be seen."""
    number = os.stat(path).st_dev
    if os.major(number) == 0:  # btrfs and others use a number of their own: look at what was mounted
        mount = mount_of(path)
        if isinstance(mount, Unavailable):
            raise OSError(mount.reason)
        if not mount.source.startswith("/dev/"):
            raise OSError(f"{mount.filesystem} shows no block device")
        number = os.stat(mount.source).st_rdev
    return os.major(number), os.minor(number)


def block_device(path: str | os.PathLike[str]) -> BlockDevice | Unavailable:
    """The disk under `path`; of a partition, the disk it is a part of."""
    try:
        major, minor = device_number(path)
        directory = (SYS_BLOCK / f"{major}:{minor}").resolve(strict=True)
        disk = directory.parent if (directory / "partition").exists() else directory
        queue = disk / "queue"
        scheduler = (queue / "scheduler").read_text()
        return BlockDevice(
            name=disk.name,
            is_virtual=any(word in str(disk) for word in ("/virtio", "/vbd", "/virtual/")) or _is_guest(),
            is_rotational=(queue / "rotational").read_text().strip() == "1",
            read_ahead_bytes=int((queue / "read_ahead_kb").read_text()) * 1024,
            scheduler=scheduler.partition("[")[2].partition("]")[0] or scheduler.strip(),
        )
    except (OSError, ValueError) as error:
        return Unavailable(reason_of(error))


def _parse(line: str) -> Mount:
    """`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: see proc_pid_mountinfo(5)."""
    before, _, after = line.partition(" - ")
    filesystem, source = after.split(" ")[:2]
    directory = before.split(" ")[4].encode().decode("unicode_escape")  # blanks are written \040
    return Mount(directory=directory, filesystem=filesystem, source=source)


def _is_guest() -> bool:
    """Whether the processor says that a hypervisor runs it: there even an NVMe disk may be a file of the host."""
    try:
        return " hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False

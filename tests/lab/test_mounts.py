import os

import pytest

from kfast.lab import mounts
from kfast.lab.mounts import BlockDevice, Mount, block_device, device_number, mount_of
from kfast.lab.unavailable import Unavailable

MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
25 24 0:23 / /dev/shm rw,relatime shared:4 - tmpfs tmpfs rw,size=24683656k
26 24 0:24 / /a\\040b rw - btrfs /dev/null rw
28 24 0:24 / /over rw - overlay overlay rw
29 28 0:25 / /over rw - xfs /dev/vdb rw
"""


@pytest.fixture
def mountinfo(tmp_path, monkeypatch):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTINFO)
    monkeypatch.setattr(mounts, "MOUNTINFO", path)
    return path


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/", Mount("/", "ext4", "/dev/vda")),
        ("/dev/shmother", Mount("/", "ext4", "/dev/vda")),
        ("/dev/shm/x/y", Mount("/dev/shm", "tmpfs", "tmpfs")),
        ("/a b/c", Mount("/a b", "btrfs", "/dev/null")),
        ("/over/x", Mount("/over", "xfs", "/dev/vdb")),
    ],
)
def test_the_mount_that_holds_a_path(path, mount, mountinfo):
    assert mount_of(path) == mount


def test_only_memory_file_systems_are_memory():
    assert Mount("/tmp", "tmpfs", "tmpfs").is_memory
    assert not Mount("/", "ext4", "/dev/vda").is_memory


def test_without_mountinfo_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "nothing")
    assert "No such file" in mount_of("/").reason


def test_a_file_system_with_a_number_of_its_own_is_asked_for_its_source(mountinfo, monkeypatch):
    null = os.stat("/dev/null").st_rdev
    monkeypatch.setattr(mounts.os, "stat", lambda path: _Stat(null) if path == "/dev/null" else _Stat(0, 24))
    assert device_number("/a b/c") == (os.major(null), os.minor(null))
    with pytest.raises(OSError, match="tmpfs shows no block device"):
        device_number("/dev/shm/x")
    assert block_device("/dev/shm/x") == Unavailable("tmpfs shows no block device")


class _Stat:
    def __init__(self, st_rdev: int, st_dev: int = 0) -> None:
        self.st_rdev, self.st_dev = st_rdev, st_dev


@pytest.mark.parametrize("is_partition", [False, True])
def test_what_the_kernel_says_of_a_disk(is_partition, tmp_path, monkeypatch):
    disk = tmp_path / "devices/ata1/block/sda"
    (disk / "queue").mkdir(parents=True)
    (disk / "queue/rotational").write_text("1\n")
    (disk / "queue/read_ahead_kb").write_text("128\n")
    (disk / "queue/scheduler").write_text("none [mq-deadline] bfq\n")
    (disk / "sda1").mkdir()
    (disk / "sda1/partition").write_text("1\n")
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/8:1").symlink_to(disk / "sda1" if is_partition else disk)
    monkeypatch.setattr(mounts, "SYS_BLOCK", tmp_path / "sys")
    monkeypatch.setattr(mounts, "device_number", lambda path: (8, 1))
    monkeypatch.setattr(mounts, "_is_guest", lambda: False)
    found = block_device("/anywhere")
    assert found == BlockDevice("sda", False, True, 131072, "mq-deadline")
    assert found.kind == "rotating disk sda"


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        (BlockDevice("sda", False, False, 0, "none"), "flash (SSD) sda"),
        (BlockDevice("nvme0n1", False, False, 0, "none"), "NVMe flash nvme0n1"),
        (BlockDevice("vda", True, True, 0, "none"), "virtual disk vda: what lies under it is the host's business"),
    ],
)
def test_a_kind_claims_no_more_than_is_known(device, kind):
    assert device.kind == kind

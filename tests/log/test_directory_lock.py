"""One broker a directory, seen from this process and from another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kfast.errors import LogDirectoryError
from kfast.log.directory_lock import DirectoryLock

TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1] + "/.lock", "a") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("held")
    else:
        print("free")
"""


def state_seen_by_others(directory: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", TRY_LOCK, str(directory)], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_another_process_sees_the_lock_until_it_is_released(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    assert state_seen_by_others(tmp_path) == "held"
    lock.release()
    lock.release()
    assert state_seen_by_others(tmp_path) == "free"


def test_a_second_lock_in_this_process_fails_and_leaves_the_first(tmp_path: Path) -> None:
    """POSIX would grant it, and closing its file would then free the first."""
    directory = tmp_path / "logs"
    directory.mkdir()
    (tmp_path / "link").symlink_to(directory)
    lock = DirectoryLock(directory)
    for name in ("logs", "link"):
        with pytest.raises(LogDirectoryError, match="in this process"):
            DirectoryLock(tmp_path / name)
    assert state_seen_by_others(directory) == "held"
    lock.release()
    DirectoryLock(tmp_path / "link").release()


def test_a_lock_held_elsewhere_is_said_in_one_line(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", TRY_LOCK + "    sys.stdout.flush(); sys.stdin.read()", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "free\n"
        with pytest.raises(LogDirectoryError, match="in use by another process") as caught:
            DirectoryLock(tmp_path)
        assert "\n" not in str(caught.value)
        holder.communicate("")
    DirectoryLock(tmp_path).release()

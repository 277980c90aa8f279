"""Where the lab's data lies: on a real file system, named, capped, and removed at exit.

Never tmpfs: there the step from page cache to disk does not exist.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from types import TracebackType

from kfast.errors import KafkaStorageError
from kfast.lab.mounts import mount_of

PREFIX = "kfast-lab-"
MAX_SIZE_BYTES = 2 << 30
FREE_SPACE_SHARE = 10  # one tenth
WRITE_SIZE = 1 << 20
STALE_S = 60.0  # longer than it takes to lock a directory that has just been made


class LabDirectory:
    """A new directory for one experiment. `limit_bytes` is what may be put there: `ensure_fits` checks it.

    It goes when the `with` block ends, when the object does, or when the interpreter exits; that of a process which was
    killed goes when another one is made, a minute later or more.
    """

    def __init__(self, parent: str | os.PathLike[str] | None = None) -> None:
        home = Path(parent) if parent is not None else lab_parent()
        remove_stale(home)
        self._directory = tempfile.TemporaryDirectory(prefix=PREFIX, dir=home)
        self.path = Path(self._directory.name)
        lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._let_go = weakref.finalize(self, os.close, lock)
        self.limit_bytes = min(MAX_SIZE_BYTES, shutil.disk_usage(home).free // FREE_SPACE_SHARE)

    def ensure_fits(self, size_bytes: int) -> None:
        if size_bytes > self.limit_bytes:
            raise KafkaStorageError(
                f"{size_bytes} bytes of lab data are more than the {self.limit_bytes} allowed here: "
                f"{MAX_SIZE_BYTES}, or a tenth of the free space of {self.path.parent}"
            )

    def data_file(self, size_bytes: int) -> Path:
        """Make a segment of so many random bytes, all of it on the disk: or write-back would run beside some arms."""
        self.ensure_fits(size_bytes)
        path = self.path / "00000000000000000000.log"
        step = random.Random(0).randbytes(min(size_bytes, WRITE_SIZE))
        with open(path, "wb") as file:
            for start in range(0, size_bytes, WRITE_SIZE):
                file.write(step[: size_bytes - start])
            file.flush()
            os.fsync(file.fileno())
        return path

    def close(self) -> None:
        """Remove it, with all that is in it. Calling it twice does no harm."""
        try:
            self._directory.cleanup()
        finally:
            self._let_go()

    def __enter__(self) -> LabDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LabDirectory(limit_bytes={self.limit_bytes})"


def remove_stale(parent: Path) -> None:
    """Remove the lab directories that no process holds any more: whoever made them was killed."""
    for path in parent.glob(f"{PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # gone meanwhile, another user's, or on a file system without locks
                if time.time() - path.stat().st_mtime > STALE_S and not _is_held(path):
                    shutil.rmtree(path)


def _is_held(path: Path) -> bool:
    directory = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)
    return False


def lab_parent() -> Path:
    """The folder for temporary files, or the user's cache folder where that one is held in memory."""
    candidates = [Path(tempfile.gettempdir()), _cache_folder()]
    for candidate in candidates:
        existing = next(folder for folder in (candidate, *candidate.parents) if folder.exists())
        mount = mount_of(existing)
        if not (mount and mount.is_memory):  # where mounts cannot be read (macOS) none of these is in memory
            candidate.mkdir(parents=True, exist_ok=True)
            return candidate
    raise KafkaStorageError(
        f"{' and '.join(map(str, candidates))} are held in memory: set TMPDIR to a folder on a disk"
    )


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kfast"

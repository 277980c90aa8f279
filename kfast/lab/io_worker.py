"""The child of the input/output experiments: reads, writes or appends the blocks it is asked for, and measures itself.

Run as `python -m kfast.lab.io_worker`. One request at a time, as a log is written and read, unless several threads are
asked for: a flash disk can do more random reads than one synchronous reader asks of it.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kfast.child_process import Json, run_child
from kfast.file_slice import OpenFile
from kfast.lab.experiment import ArmUnavailableError
from kfast.lab.io_work import (
    Moved,
    check_and_write,
    counted,
    fdatasync,
    make_batch,
    read_blocks,
    read_blocks_at_once,
    write_blocks,
)
from kfast.lab.residency import Residency, cached_share, make_cold, make_warm, residency
from kfast.lab.results import as_json
from kfast.lab.unavailable import Unavailable
from kfast.log.log import Log

IN_ORDER, AT_RANDOM, SHUFFLED = "in order", "at random", "shuffled"
COLD, WARM = "cold", "warm"
UNAVAILABLE = "unavailable"
"""The key of an answer that holds nothing but why this machine cannot do what was asked."""
NOT_HERE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EMFILE)  # no such call, or not so many open files


class IoWorker:
    """Settings: `path` of the laid-out file; new files lie beside it.

    Answers `read`, `write`, `append`, `log`, `bare`.
    """

    def __init__(self, settings: Json) -> None:
        self._file = OpenFile(settings["path"], os.O_RDWR)
        self._size = os.fstat(self._file.fd).st_size
        self._directory = Path(self._file.path).parent
        self._work: dict[str, Callable[..., Json]] = {
            "read": self._read,
            "write": self._write,
            "append": self._append,
            "log": self._log,
            "bare": self._bare,
        }

    def ready(self) -> Json:
        return {"size": self._size}

    def answer(self, request: str, arguments: Json) -> Json:
        if request not in self._work:
            raise ValueError(f"an input/output worker is asked to {', '.join(self._work)}, not to {request}")
        try:
            return self._work[request](**arguments)
        except ArmUnavailableError as error:
            return {UNAVAILABLE: str(error)}
        except OSError as error:
            if error.errno in NOT_HERE:
                return {UNAVAILABLE: error.strerror}  # without the path, which says where somebody keeps files
            raise

    def _read(self, order: str, block_size: int, cache: str, advice: str, threads: int, seed: int) -> Json:
        """Every block of the laid-out file once."""
        fd, positions = self._file.fd, self._positions(order, block_size, self._size, seed)
        before = self._prepare_cold() if cache == COLD else make_warm(fd)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, getattr(os, f"POSIX_FADV_{advice.upper()}"))
        if threads == 1:
            answer = counted(self._file.path, lambda: read_blocks(fd, positions, block_size))
        else:
            answer = counted(self._file.path, lambda: read_blocks_at_once(fd, positions, block_size, threads))
        return self._with_residency(answer, before) | {"planned_bytes": len(positions) * block_size}

    def _write(self, order: str, block_size: int, sync_bytes: int, size: int, seed: int) -> Json:
        """Blocks of the laid-out file, each at most once, `size` bytes in all."""
        fd, positions = self._file.fd, self._positions(order, block_size, size, seed)
        before = make_cold(fd)  # every arm begins with nothing cached; for writing that need not be proven
        places, block = [(fd, position) for position in positions], os.urandom(block_size)
        answer = counted(self._file.path, lambda: write_blocks(places, block, sync_bytes))
        answer = self._with_residency(answer, before) | {"planned_bytes": len(positions) * block_size}
        fdatasync(fd)  # the next arm shall not wait for what this one left behind
        return answer

    def _append(self, partitions: int, block_size: int, sync_bytes: int, size: int, seed: int) -> Json:
        """New files, each written from its beginning on, in turns: `size` bytes in all. No order is drawn."""
        count = size // block_size
        with self._new_directory() as directory:
            answer = _append_in_turns(directory, partitions, block_size, count, sync_bytes)
        return answer | {"planned_bytes": count * block_size}

    def _log(self, block_size: int, sync_bytes: int, size: int, seed: int) -> Json:
        """The same number of batches as `_append` writes, to one partition, by kfast's own log."""
        batch, count = make_batch(block_size), size // block_size
        with self._new_directory() as directory:
            log = Log.open(directory / "log-0")
            _sync_directory(directory)
            answer = counted(str(directory), lambda: _append_to_log(log, batch, count, sync_bytes // block_size))
            log.delete()
        return answer | {"planned_bytes": count * len(batch)}

    def _bare(self, block_size: int, sync_bytes: int, size: int, seed: int) -> Json:
        """The batches of `_log` by a loop that does no more than it must; it knows no sync policy but none."""
        batch, count = make_batch(block_size), size // block_size
        with self._new_directory() as directory:
            file = OpenFile(directory / "0", os.O_WRONLY | os.O_CREAT)
            answer = counted(str(directory), lambda: check_and_write(file.fd, batch, count))
        return answer | {"planned_bytes": count * len(batch)}

    def _positions(self, order: str, block_size: int, size: int, seed: int) -> Sequence[int]:
        """Where to go for `size` bytes: from the beginning on, to the same places shuffled, or anywhere in the file."""
        positions = range(0, self._size - self._size % block_size, block_size)
        first = positions[: size // block_size]
        if order == IN_ORDER:
            return first
        return random.Random(seed).sample(first if order == SHUFFLED else positions, len(first))

    def _prepare_cold(self) -> Residency:
        """Out of the page cache, and cachestat says so. Raises ArmUnavailableError: there is nothing to measure."""
        found = make_cold(self._file.fd)
        if isinstance(found, Unavailable):
            raise ArmUnavailableError(f"coldness cannot be checked: {found.reason}")
        if not found.is_cold:
            raise ArmUnavailableError(f"not cold after all: {found}")
        return found

    def _with_residency(self, answer: Json, before: Residency | Unavailable) -> Json:
        after = residency(self._file.fd)
        dirty_share = after if isinstance(after, Unavailable) else after.dirty_pages / after.page_count
        found = {"cached_share_before": cached_share([before]), "dirty_share_after": dirty_share}
        return answer | {name: as_json(share) for name, share in found.items()}

    @contextmanager
    def _new_directory(self) -> Iterator[Path]:
        """Gone afterwards, and the removal is on the disk: the next arm shall not wait for it."""
        directory = self._directory / "appended"
        directory.mkdir()
        try:
            yield directory
        finally:
            shutil.rmtree(directory)
            _sync_directory(self._directory)

    def close(self) -> None:
        """The file closes with its last reference."""


def _append_in_turns(directory: Path, partitions: int, block_size: int, count: int, sync_bytes: int) -> Json:
    """`count` blocks, the next one always to the next file. The files are closed when it returns."""
    files = [OpenFile(directory / str(number), os.O_WRONLY | os.O_CREAT) for number in range(partitions)]
    _sync_directory(directory)
    places = [(files[turn % partitions].fd, turn // partitions * block_size) for turn in range(count)]
    block = os.urandom(block_size)
    return counted(str(directory), lambda: write_blocks(places, block, sync_bytes))


def _append_to_log(log: Log, batch: bytearray, count: int, sync_batches: int) -> Moved:
    """Flushed after each `sync_batches`, and at the end; 0 is never. A flush syncs one file."""
    flush_count = 0
    for number in range(1, count + 1):
        log.append(batch)
        if sync_batches and (number % sync_batches == 0 or number == count):
            log.flush()
            flush_count += 1
    return Moved(count * len(batch), flush_count)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


if __name__ == "__main__":
    run_child(IoWorker)

"""What a reader gets when a log changes while its answer is under way: why zero copy needs an append-only log.

A batch is sent, and before the reader takes it off the socket the file is appended to, overwritten by a batch of the
same size, or overwritten by half of one. Through sendfile the reader of an overwritten file gets the future, or a
mixture that no producer ever wrote; of an appended one, what was there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from kfast.errors import KfastError
from kfast.file_slice import FileSlice, OpenFile
from kfast.lab.lab_directory import lab_parent
from kfast.lab.mode_comparison import LABELS
from kfast.lab.unavailable import Unavailable, reason_of
from kfast.record.batch import RecordBatch
from kfast.record.builder import RecordBatchBuilder
from kfast.transfer.connection import Connection
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.sender import TransferSettings

OLD, NEW = b"old", b"new"
VALUE_REPEATS = 10_000  # a batch of some 30 kB: several pages, and less than a socket holds
TIMESTAMP_MS = 1_700_000_000_000
SEND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ReaderGot:
    """What arrived of one batch that was sent before the file changed."""

    change: str
    copy_mode: str
    has_valid_crc: bool
    values: str

    @property
    def is_what_was_there(self) -> bool:
        return self.has_valid_crc and self.values == OLD.decode()

    def __str__(self) -> str:
        crc = "CRC valid" if self.has_valid_crc else "CRC wrong"
        return f"{self.change:<18}{LABELS[self.copy_mode]:<11}{crc:<11}{self.values}"


def what_readers_get(directory: str | os.PathLike[str] | None = None) -> list[ReaderGot | Unavailable]:
    """Every change under every copy mode."""
    return [_try(change, mode, directory) for change in CHANGES for mode in COPY_MODES]


def append_only_is_safe(got: list[ReaderGot | Unavailable]) -> bool:
    """Whether every reader of an appended log got what was there, in every mode that works here."""
    appended = [one for one in got if isinstance(one, ReaderGot) and one.change == APPENDED]
    return bool(appended) and all(one.is_what_was_there for one in appended)


def overwriting_is_unsafe(got: list[ReaderGot | Unavailable], copy_mode: str = "sendfile") -> bool:
    """Whether no reader of an overwritten log got what was there."""
    tried = [one for one in got if isinstance(one, ReaderGot) and one.copy_mode == copy_mode]
    changed = [one for one in tried if one.change != APPENDED]
    return bool(changed) and not any(one.is_what_was_there for one in changed)


def _try(change: str, copy_mode: str, directory: str | os.PathLike[str] | None) -> ReaderGot | Unavailable:
    with tempfile.NamedTemporaryFile(prefix="kfast-in-flight-", dir=directory or lab_parent()) as file:
        old = _batch(OLD)
        file.write(old)
        file.flush()
        sender, receiver = loopback_pair()
        connection = Connection(sender, SEND_TIMEOUT_S)
        with receiver:
            try:
                connection.send_chunks([FileSlice(OpenFile(file.name), 0, len(old))], TransferSettings(copy_mode))
            except (KfastError, OSError) as error:
                return Unavailable(reason_of(error))
            else:
                CHANGES[change](file.file, _batch(NEW))
            finally:
                connection.close()
            with receiver.makefile("rb") as stream:
                batch = RecordBatch(stream.read())
    return ReaderGot(change, copy_mode, batch.is_valid(), _values(batch))


def _batch(word: bytes) -> bytearray:
    builder = RecordBatchBuilder()
    builder.append(None, word * VALUE_REPEATS, TIMESTAMP_MS)
    return builder.build()


def _append(file: IO[bytes], batch: bytearray) -> None:
    os.pwrite(file.fileno(), batch, len(batch))


def _overwrite(file: IO[bytes], batch: bytearray) -> None:
    os.pwrite(file.fileno(), batch, 0)


def _overwrite_half(file: IO[bytes], batch: bytearray) -> None:
    os.pwrite(file.fileno(), memoryview(batch)[: len(batch) // 2], 0)


APPENDED = "appended to"
CHANGES: dict[str, Callable[[IO[bytes], bytearray], None]] = {
    APPENDED: _append,
    "overwritten": _overwrite,
    "half overwritten": _overwrite_half,
}


def _values(batch: RecordBatch) -> str:
    """Which words the one record holds, in the order of their first place: "old", "new" or "new, then old"."""
    data = bytes(batch.buffer)  # some 30 kB, to be looked at
    places = {word.decode(): data.find(word * 2) for word in (OLD, NEW) if word * 2 in data}
    return ", then ".join(sorted(places, key=lambda word: places[word]))

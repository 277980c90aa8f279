"""The mutation canary: proof of zero copy without root and without counters.

Send a range of a file, then overwrite the file, then let the peer read. Where the socket held references to pages of
the page cache, the new bytes arrive; where it held a copy, the old. It proves a second thing: zero copy is safe because
the log is append-only. Otherwise the reader gets the future.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from kfast.errors import KfastError
from kfast.file_slice import FileSlice, OpenFile
from kfast.lab.lab_directory import lab_parent
from kfast.lab.unavailable import Unavailable, reason_of
from kfast.transfer.connection import Connection
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.sender import TransferSettings

SIZE = 65_536  # fits a socket nobody reads from
OLD, NEW = b"o", b"n"
SEND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """How many of the bytes that were sent arrived as they were then, and how many as they became afterwards."""

    copy_mode: str
    size_bytes: int
    old_bytes: int
    new_bytes: int

    @property
    def is_zero_copy(self) -> bool:
        """Whether every byte arrived as it became: none had been copied."""
        return self.new_bytes == self.size_bytes

    def __str__(self) -> str:
        verdict = "references to the page cache" if self.is_zero_copy else "a copy"
        return (
            f"{self.copy_mode}: {self.new_bytes} of {self.size_bytes} bytes arrived as they became after the send: "
            f"the socket held {verdict}"
        )


def canary(
    copy_mode: str, directory: str | os.PathLike[str] | None = None, chunk_size: int = SIZE
) -> CanaryResult | Unavailable:
    """Ask one copy mode; the file lies in `directory` while it lasts."""
    with tempfile.NamedTemporaryFile(prefix="kfast-canary-", dir=directory or lab_parent()) as file:
        file.write(OLD * SIZE)
        file.flush()
        sender, receiver = loopback_pair()
        connection = Connection(sender, SEND_TIMEOUT_S)
        with receiver:
            try:
                file_slice = FileSlice(OpenFile(file.name), 0, SIZE)
                connection.send_chunks([file_slice], TransferSettings(copy_mode, chunk_size))
            except (KfastError, OSError) as error:
                return Unavailable(reason_of(error))
            else:
                os.pwrite(file.fileno(), NEW * SIZE, 0)
            finally:
                connection.close()
            with receiver.makefile("rb") as stream:
                received = stream.read()
    return CanaryResult(copy_mode, SIZE, old_bytes=received.count(OLD), new_bytes=received.count(NEW))


def canaries(directory: str | os.PathLike[str] | None = None) -> dict[str, CanaryResult | Unavailable]:
    """Ask all copy modes."""
    return {copy_mode: canary(copy_mode, directory) for copy_mode in COPY_MODES}

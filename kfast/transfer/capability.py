"""Which copy modes work here: on this kernel, for files of this directory, over a TCP socket; and why others do not.

Found out by doing it: some file systems have no splice_read, some sandboxes no sendfile.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from kfast.errors import KfastError
from kfast.file_slice import FileSlice, OpenFile
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.scratch import Scratch

PROBE = (
    bytes(range(256)) * 64
)  # 16 KiB: more than a page, less than any socket buffer, so one thread can send and receive


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether something works; `reason` is empty if so, and otherwise says why not."""

    is_available: bool
    reason: str = ""


def probe(directory: str | os.PathLike[str]) -> dict[str, Capability]:
    """Send a small file of `directory` by each copy mode; the file is gone afterwards."""
    with tempfile.NamedTemporaryFile(prefix=".kfast-probe-", dir=directory) as file:
        file.write(PROBE)
        file.flush()
        file_slice = FileSlice(OpenFile(file.name), 1, len(PROBE) - 1)  # not on a page boundary, as in a log
        return {mode: _try(mode, file_slice) for mode in COPY_MODES}


def _try(mode: str, file_slice: FileSlice) -> Capability:
    scratch = Scratch()
    sender, receiver = loopback_pair()
    with sender, receiver:
        try:
            COPY_MODES[mode](sender, file_slice, 4096, scratch)
        except (KfastError, OSError) as error:
            return Capability(False, str(error))
        finally:
            scratch.close()
        sender.close()
        with receiver.makefile("rb") as stream:
            received = stream.read()
    if received != PROBE[1:]:
        return Capability(False, f"{len(received)} bytes arrived that are not the {len(PROBE) - 1} of the file")
    return Capability(True)

"""What kfast takes without having looked: records that are none, in a batch whose header and checksum are right.

The other side of checking by header alone. Whoever sends such a batch has a broken producer; the one to notice is the
consumer, or a broker that has to look at every key (a compacted topic), or that was asked to (kfast.validate.records).
"""

from __future__ import annotations

import random
import struct

from kfast.errors import KfastError
from kfast.lab.lab_directory import LabDirectory
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION, CRC_POSITION, HEADER_SIZE

_COMPACTED = LogConfig(cleanup_policy=frozenset({"compact"}))
_ASKED = LogConfig(validates_records=True)


def noise_batch(is_sealed: bool) -> bytearray:
    """A batch of one record in whose place is noise; `is_sealed`: its checksum is that of the noise."""
    builder = RecordBatchBuilder()
    builder.append(b"key", bytes(100), 0)
    batch = builder.build()
    batch[HEADER_SIZE:] = random.Random(0).randbytes(len(batch) - HEADER_SIZE)
    if is_sealed:
        struct.pack_into(">I", batch, CRC_POSITION, crc32c(memoryview(batch)[ATTRIBUTES_POSITION:]))
    return batch


def what_kfast_says_to_noise() -> dict[str, str]:
    """The answer of kfast's log to such batches, by how they are sent: "taken", or why not."""
    return {
        "noise with the checksum of records": _answer(noise_batch(is_sealed=False), LogConfig()),
        "noise with its own checksum": _answer(noise_batch(is_sealed=True), LogConfig()),
        "the same, to a compacted topic": _answer(noise_batch(is_sealed=True), _COMPACTED),
        "the same, with kfast.validate.records": _answer(noise_batch(is_sealed=True), _ASKED),
    }


def header_is_all_it_checks(answers: dict[str, str]) -> bool:
    """Whether noise is taken where its checksum is right, unless the topic or the broker has records looked at."""
    return [answer == "taken" for answer in answers.values()] == [False, True, False, False]


def _answer(batch: bytearray, config: LogConfig) -> str:
    with LabDirectory() as directory:
        log = Log.open(directory.path / "noise-0", config)
        try:
            log.append(batch)
        except KfastError as error:
            return f"refused: {error}"
        finally:
            log.close()
    return "taken"

"""The log against a list: whatever is appended, rolled, cut, deleted, compacted, killed and opened again, in any order.

The model is what was written, by offset; of that compaction may take what is superseded or void, and nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kfast.clock import ManualClock
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.compaction import ENTRY_BYTES
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, CommitMarker, encode_control
from kfast.record.record import Record
from kfast.scheduler import Scheduler

KEYS = [b"a", b"b", b"c", b"d"]
START_MS = 1_700_000_000_000

CONFIG = LogConfig(
    segment_bytes=600,
    index_interval_bytes=150,
    retention_ms=-1,
    cleanup_policy=frozenset({"compact", "delete"}),
    delete_retention_ms=10_000_000,
    file_delete_delay_ms=1000,
)


class LogMachine(RuleBasedStateMachine):
    """Every record ever appended is in `written`; the log may lack those that compaction may take."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="kfast-model-"))
        self.clock = ManualClock(START_MS)
        self.scheduler = Scheduler(self.clock)
        self.directory = self.root / "orders-0"
        self.generation = 0
        self.written: dict[int, tuple[bytes, bytes | None]] = {}
        self.end_offset = self.start_offset = 0
        self.cleaned_up_to: int | None = None
        self.highest_clean = 0
        self.epoch = self.sequence = 0
        self.last_of_producer = -1
        self.batch_starts: list[int] = []
        self.settled = 0
        self.open_since: int | None = None
        self.void: set[int] = set()
        self.in_transaction: list[int] = []
        self.log = self.open()

    def open(self, *, was_clean: bool = False) -> Log:
        return Log.open(
            self.directory,
            CONFIG,
            clock=self.clock,
            scheduler=self.scheduler,
            log_start_offset=self.start_offset,
            recovery_point=0,
            was_clean=was_clean,
        )

    def append(self, builder: RecordBatchBuilder, count: int) -> int:
        info = self.log.append(builder.build())
        assert info.first_offset == self.end_offset
        self.batch_starts.append(info.first_offset)
        self.end_offset += count
        return info.first_offset

    # What is done to it

    @rule(
        records=st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.binary(max_size=60)), min_size=1, max_size=4)
    )
    def append_records(self, records: list[tuple[bytes, bytes | None]]) -> None:
        builder = RecordBatchBuilder()
        for key, value in records:
            builder.append(key, value, self.clock.now_ms())
        first = self.append(builder, len(records))
        self.written.update((first + number, record) for number, record in enumerate(records))

    @rule(key=st.sampled_from(KEYS), value=st.binary(max_size=30))
    def append_in_transaction(self, key: bytes, value: bytes) -> None:
        builder = RecordBatchBuilder(
            producer_id=7, producer_epoch=self.epoch, base_sequence=self.sequence, is_transactional=True
        )
        builder.append(key, value, self.clock.now_ms())
        again = builder.build()
        offset = self.append(builder, 1)
        assert self.log.append(again).first_offset == offset  # sent twice: there once
        self.sequence += 1
        self.last_of_producer = offset
        self.settled = self.end_offset
        self.written[offset] = (key, value)
        self.in_transaction.append(offset)
        if self.open_since is None:
            self.open_since = offset

    @precondition(lambda self: self.open_since is not None)
    @rule(is_abort=st.booleans())
    def end_transaction(self, is_abort: bool) -> None:
        builder = RecordBatchBuilder(producer_id=7, producer_epoch=self.epoch, is_transactional=True, is_control=True)
        builder.append(*encode_control(AbortMarker(0) if is_abort else CommitMarker(0)), self.clock.now_ms())
        self.append(builder, 1)
        self.settled = self.end_offset
        if is_abort:
            self.void.update(self.in_transaction)
        self.in_transaction, self.open_since = [], None

    @rule()
    def roll(self) -> None:
        self.log.roll()

    @rule(share=st.floats(0, 1), into=st.integers(0, 3))
    def truncate(self, share: float, into: int) -> None:
        """At any offset of a batch that no transaction, start offset or compaction rests on."""
        starts = [
            start for start in self.batch_starts if start > max(self.settled, self.start_offset, self.highest_clean)
        ]
        if starts:
            start = starts[int(share * (len(starts) - 1))]
            following = min((one for one in starts if one > start), default=self.end_offset)
            self.log.truncate_to(min(start + into, following - 1))
            self.end_offset = start
            self.batch_starts = [one for one in self.batch_starts if one < start]
            self.written = {offset: record for offset, record in self.written.items() if offset < start}

    @rule(milliseconds=st.integers(1, 3000))
    def wait(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)

    @rule(share=st.floats(0, 1))
    def delete_records(self, share: float) -> None:
        offset = self.start_offset + int(share * (self.end_offset - self.start_offset))
        self.log.increment_log_start_offset(offset)
        self.start_offset = offset
        self.log.delete_old_segments()

    @rule(key_count=st.integers(1, 6))
    def compact(self, key_count: int) -> None:
        what = cleanable(self.log, self.cleaned_up_to, self.clock.now_ms())
        if what.segments:
            report = Cleaner(self.clock, dedupe_buffer_bytes=key_count * 2 * ENTRY_BYTES).clean(what)
            assert report.end_offset >= what.first_dirty_offset
            self.cleaned_up_to = report.end_offset
            self.highest_clean = max(self.highest_clean, report.end_offset)

    @rule(is_clean=st.booleans())
    def stop_and_start(self, is_clean: bool) -> None:
        self.log.close()
        self.log = self.open(was_clean=is_clean)
        self.take_what_may_be_forgotten()

    @rule(tail=st.binary(max_size=40))
    def kill_and_start(self, tail: bytes) -> None:
        """kill -9: what was written is there, perhaps with a piece of what was being written."""
        self.generation += 1
        copy = self.root / f"killed-{self.generation}" / "orders-0"
        shutil.copytree(self.directory, copy)
        self.log.close()
        self.directory = copy
        with max(copy.glob("*.log")).open("ab") as file:
            file.write(tail)
        self.log = self.open()
        self.take_what_may_be_forgotten()

    def take_what_may_be_forgotten(self) -> None:
        """What lies below the start, where nobody can read it: Kafka's loader passes over it too, where it fills a
        segment. An open transaction then begins later, and a producer without a batch left starts anew."""
        known = next(iter(self.log.producer_states()), None)
        since = known.transaction_first_offset if known else None
        if self.open_since is not None and self.open_since < self.start_offset and since != self.open_since:
            self.in_transaction = [offset for offset in self.in_transaction if since is not None and offset >= since]
            assert min(self.in_transaction, default=None) == since
            assert since is not None or self.last_of_producer < self.start_offset
            self.open_since = since
        if self.last_of_producer < self.start_offset and not (known and known.batches):
            self.epoch, self.sequence = self.epoch + 1, 0

    # What is true of it

    @invariant()
    def the_bounds_are_right(self) -> None:
        assert (self.log.log_start_offset, self.log.log_end_offset) == (self.start_offset, self.end_offset)
        stable = self.end_offset if self.open_since is None else max(self.open_since, self.start_offset)
        assert self.log.last_stable_offset == stable

    @invariant()
    def it_holds_what_was_written_but_for_what_may_go(self) -> None:
        found = {record.offset: record for record in self.read()}
        for offset, record in found.items():
            assert (bytes(record.key or b""), record.value if record.value is None else bytes(record.value)) == (
                self.written[offset]
            )
        last: dict[bytes, int] = {}
        for offset, (key, _) in self.written.items():
            if offset not in self.void:
                last[key] = offset
        for offset in range(self.start_offset, self.end_offset):
            if offset in self.written and offset not in found and offset not in self.void:
                assert offset < self.highest_clean, f"{offset} is gone, which was not cleaned"
                assert last[self.written[offset][0]] > offset, f"{offset} was the last of its key"

    def read(self) -> list[Record]:
        records, offset = [], self.start_offset
        while data := self.log.read(offset, 700).records.read():
            for batch in iter_batches(data):
                assert batch.is_valid()
                assert batch.next_offset > offset
                if not batch.is_control:
                    records += [record for record in batch.records() if record.offset >= offset]
                next_offset = batch.next_offset
            offset = next_offset
        return records

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            self.scheduler.shutdown()
            shutil.rmtree(self.root)


LogMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_the_log_is_a_list = LogMachine.TestCase

"""The exercises of the notebooks: each takes an answer and says in a sentence whether it holds, and why.

None is an answer that has not been given yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from kfast.lab import ablation
from kfast.lab.crashed_log import NOTHING, CrashedLog
from kfast.lab.damage import FLIPPED
from kfast.lab.experiment import Comparison
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.mode_comparison import LABELS
from kfast.lab.prediction import factor, number
from kfast.lab.produce_checks import checks_of_records
from kfast.lab.published import ibm_gains
from kfast.lab.tls_cost import TLS_RECORD_SIZE
from kfast.lab.unavailable import Unavailable
from kfast.record.layout import HEADER_SIZE
from kfast.transfer.modes import CPU_COPIES
from kfast.transfer.tls_connection import CPU_COPIES as TLS_COPIES

GIB = 1 << 30
TLS_RECORD_OVERHEAD = 5 + 1 + 16  # head, content type and tag (RFC 8446, 5.2; RFC 5116, 5.1)
PAYING_SHARE = 0.8
CHECK_S = 50e-9
IBM_LARGEST_BYTES = 1_024_000_000
SEEK_S, DISK_BYTES_PER_S = 0.008, 150e6  # of a 7200 rpm disk: to find a place, and to go on


def header_bytes(answer: int | None, batch_count: int) -> str:
    """How many bytes of the log are headers of `batch_count` batches?"""
    return _check(answer, batch_count * HEADER_SIZE, 0.0, "one header a batch, however many records are in it")


def copied_by_mmap_send(answer: int | None) -> str:
    """How many bytes does the broker's CPU copy when it serves 1 GiB by mmap+send?"""
    expected = CPU_COPIES["mmap_send"] * GIB
    return _check(answer, expected, 0.0, "the map saves the copy into a buffer, not the one into the socket")


def sendfile_calls(answer: int | None) -> str:
    """How many calls of sendfile() does 1 GiB take in chunks of 64 KiB?"""
    return _check(answer, GIB >> 16, 0.0, "one call a chunk, each with its own cost: what larger chunks save")


def modes_at_risk(answer: Collection[str] | None) -> str:
    """By which copy modes may a reader get bytes that were written after its fetch was answered?"""
    expected = {mode for mode, copies in CPU_COPIES.items() if copies == 0}
    if answer is None:
        return "No answer yet."
    if set(answer) == expected:
        return "Right: those that hang pages on the socket send what is in them when they leave."
    wrong = ", ".join(LABELS.get(mode, mode) for mode in sorted(set(answer) ^ expected))
    return f"Not yet: look at the canary again for {wrong}."


def random_read_s(answer: float | None) -> str:
    """How many seconds does 1 GiB take in blocks of 4 KiB at random, on a disk that takes 8 ms to find each?"""
    return _check(answer, GIB / 4096 * SEEK_S, 0.1, "one search for each block; in order it is one for all")


def even_block_size(answer: float | None) -> str:
    """In blocks of how many bytes does such a disk search as long as it reads, if it reads 150 MB/s?"""
    return _check(answer, SEEK_S * DISK_BYTES_PER_S, 0.1, "what it reads in the time of one search")


def random_writes_per_s(answer: float | None) -> str:
    """How many writes of 4 KiB a second are the 100 KB/s of Kafka's design page?"""
    return _check(answer, 100e3 / 4096, 0.1, "fewer than one such disk can do: so it was not this, or not only")


def requests_held_up(answer: float | None) -> str:
    """Of 1,000 requests a second, how many find their thread asleep, if 100 fetches a second cost it 2 ms each?"""
    return _check(answer, 1000 * 100 * 0.002, 0.0, "one in five: so the p99 shows the wait, and the median does not")


def connections_held_up(answer: int | None) -> str:
    """Of 300 connections, evenly spread over 3 network threads, how many others share the thread of a cold reader?"""
    return _check(answer, 300 // 3 - 1, 0.0, "the other threads go on")


def modes_that_wait(answer: Collection[str] | None) -> str:
    """Which copy modes make the thread that calls them wait for a page that is not in the page cache?"""
    if answer is None:
        return "No answer yet."
    if set(answer) == set(CPU_COPIES):
        return "Right: each of them needs the page; it is the thread that matters, not the call."
    return "Not yet: where does each of them find the bytes, and what if they are not there?"


def batch_size_that_pays(answer: int | None, result: ExperimentResult) -> str:
    """Of the batch sizes of 100-byte records by the raw client, which is the smallest with 80 % of the best rate?"""
    rates = {}
    for arm in result.arms:
        if (arm["client"], arm["record_size"], arm.replicate) == ("raw", 100, 0):
            rate = result.summary(arm, "produced_records_per_s")
            if not isinstance(rate, Unavailable):
                rates[arm["batch_records"]] = rate.median
    expected = min(size for size, rate in rates.items() if rate >= PAYING_SHARE * max(rates.values()))
    return _check(answer, expected, 0.0, f"{rates[expected]:,.0f} of at most {max(rates.values()):,.0f} records/s")


def ibm_mean_gain(answer: float | None) -> str:
    """Which share of the time do the rows of IBM's table save in the mean?"""
    gains = ibm_gains()
    return _check(answer, sum(gains) / len(gains), 0.01, "less than the article's text says")


def ibm_calls(answer: int | None) -> str:
    """How many calls of read and write does the table's largest file take, 4,096 bytes at a time?"""
    return _check(answer, 2 * IBM_LARGEST_BYTES // 4096, 0.0, "one of each for every 4,096 bytes; sendfile takes one")


def copied_over_tls(answer: int | None) -> str:
    """How many bytes does the broker's CPU copy when it serves 1 GiB over TLS?"""
    return _check(answer, TLS_COPIES * GIB, 0.0, "into a buffer, into OpenSSL's record, and into the socket's buffer")


def tls_records(answer: int | None) -> str:
    """How many TLS records does 1 GiB take at least?"""
    return _check(answer, GIB // TLS_RECORD_SIZE, 0.0, "a record holds 16 KiB at most, and leaves by a call of its own")


def tls_record_overhead(answer: int | None) -> str:
    """How many bytes do TLS 1.3 and AES-GCM add to 1 GiB?"""
    why = "22 with each record, so little that more bytes are not what TLS costs"
    return _check(answer, GIB // TLS_RECORD_SIZE * TLS_RECORD_OVERHEAD, 0.0, why)


def checks_of_each_record(answer: int | None) -> str:
    """For how many of the checks in the table does Apache Kafka look at each record of a usual topic?"""
    found = checks_of_records("kafka")
    return _check(answer, len(found), 0.0, f"{', '.join(found)}; kfast for none, unless it is asked")


def checking_s(answer: float | None) -> str:
    """How many seconds of CPU a GB are 50 ns for each record of 1 KiB?"""
    return _check(answer, 1e9 / 1024 * CHECK_S, 0.02, "a check of each record costs by the record, not by the byte")


def checking_small_s(answer: float | None) -> str:
    """And for records of 100 bytes?"""
    return _check(answer, 1e9 / 100 * CHECK_S, 0.02, "ten times as many records, ten times the price of the same GB")


def bytes_at_risk(answer: float | None) -> str:
    """At 100 MB/s and with flush.ms=1000, how many acknowledged bytes may a loss of power take?"""
    return _check(answer, 100e6, 0.01, "what came since the last flush; a flush that takes long adds to it")


def flush_messages_for(answer: int | None) -> str:
    """The largest flush.messages with which a loss of power takes at most 500 acknowledged records of a partition."""
    return _check(answer, 501, 0.0, "the record that makes it 501 is not acknowledged before all of them are flushed")


def header_bytes_unnoticed(answer: int | None, log: CrashedLog) -> str:
    """In how many bytes of a batch's header does recovery not notice that the lowest bit is another one?"""
    if answer is None:
        return "No answer yet."
    start = log.size_bytes - log.segments[-1][1]  # of the last segment's first batch
    found = [place for place in range(HEADER_SIZE) if not log.break_at(start + place, FLIPPED, NOTHING).reports]
    why = "the checksum is of what lies behind it, and what these say now is possible"
    return _check(answer, len(found), 0.0, f"{', '.join(map(str, found))}: {why}")


def machines_that_may_fail(answer: int | None) -> str:
    """With acks=all, min.insync.replicas=2 and no flush: how many machines may lose power without losing a record?"""
    return _check(answer, 1, 0.0, "an acknowledged record is in the memory of two machines at least")


def most_lost(answer: str | None, result: ExperimentResult) -> str:
    """Which ingredient of the ablation costs most records a second when it is taken away, with raw clients?"""
    return _largest(answer, result, ablation.taken_away)


def most_gained(answer: str | None, result: ExperimentResult) -> str:
    """Which ingredient gives most records a second when it is added to none, with raw clients?"""
    return _largest(answer, result, ablation.added)


def _largest(answer: str | None, result: ExperimentResult, effect: Callable[[str, str], Comparison]) -> str:
    ratios = {one.name: result.ratio(effect(one.name, "raw")) for one in ablation.INGREDIENTS}
    found = {name: ratio for name, ratio in ratios.items() if not isinstance(ratio, Unavailable)}
    if answer is None:
        return "No answer yet."
    if answer not in found:
        return f"{answer!r} is none of {', '.join(found)}."
    largest = max(found, key=lambda name: found[name].median)
    if answer == largest:
        return f"Right: {factor(found[largest])}."
    return f"Not yet: {answer} is {factor(found[answer])}, and another one is more."


def _check(answer: float | None, expected: float, tolerance: float, why: str) -> str:
    if answer is None:
        return "No answer yet."
    if abs(answer - expected) <= tolerance * expected:
        return f"Right, {number(expected)}: {why}."
    return f"Not yet: {number(answer)} is too {'small' if answer < expected else 'large'}."

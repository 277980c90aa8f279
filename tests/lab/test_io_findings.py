import pytest

from kfast.lab import io_findings
from kfast.lab.io_experiment import read_arm, write_arm
from kfast.lab.io_work import NO_SYNC, SYNC_AT_END
from kfast.lab.io_worker import AT_RANDOM, IN_ORDER
from kfast.lab.prediction import SMOKE
from kfast.lab.unavailable import Unavailable

SMALL, LARGE = 4096, 1 << 20


def read(is_in_order, size):
    return read_arm(IN_ORDER if is_in_order else AT_RANDOM, size)


def write(is_in_order, size, sync_bytes=NO_SYNC):
    return write_arm(IN_ORDER if is_in_order else AT_RANDOM, size, sync_bytes)


def speeds(random_small=100.0, random_large=900.0):
    found = {read(True, SMALL): [1000.0] * 10, read(False, SMALL): [random_small] * 10}
    found |= {read(True, LARGE): [1000.0] * 10, read(False, LARGE): [random_large] * 10}
    for sync_bytes in (NO_SYNC, SYNC_AT_END):
        found |= {
            write(True, SMALL, sync_bytes): [2000.0] * 10,
            write(False, SMALL, sync_bytes): [1000.0, 2000.0, 4000.0, 2000.0, 2000.0] * 2,
        }
    return found | {read(True, LARGE).again(): [1010.0] * 10}


@pytest.fixture
def result(io_result):
    return io_result(speeds(), {read(True, SMALL): 0.5, read(False, SMALL): 190.0})


def test_the_order_of_reads_is_told_for_each_block_size(result):
    small, large, near, requests, resolution = io_findings.read_sentences(result)
    assert small == "Cold reads of 4 KiB: in order 10.0 times [10.0, 10.0] the MB/s at random."
    assert large == "Cold reads of 1 MiB: in order 1.11 times [1.11, 1.11] the MB/s at random."
    assert near.startswith("From blocks of 1 MiB on, at random is nearly as fast")
    assert requests.endswith("reads of 4 KiB, cold: 0.5 in order, 190 at random.")
    assert "1.01 times" in resolution
    assert "10.0 times at 4 KiB, 1.11 times at 1 MiB" in io_findings.read_headline(result)


def test_where_random_never_comes_near_that_is_said(io_result):
    sentences = io_findings.read_sentences(io_result(speeds(random_large=200.0)))
    assert any("At no block size" in sentence for sentence in sentences)


def test_a_disk_that_does_not_mind_is_believed(io_result):
    sentences = io_findings.read_sentences(io_result(speeds(random_small=1001.0, random_large=2000.0)))
    assert sentences[0].startswith("Cold reads of 4 KiB: no effect larger than the A/A resolution")
    assert sentences[1] == "Cold reads of 1 MiB: at random 2.00 times [2.00, 2.00] the MB/s in order."


def test_writes_are_told_by_their_sync_policy(result):
    sentences = io_findings.write_sentences(result)
    assert sentences[0].startswith("Writes of 4 KiB, no sync: page cache only: no effect larger than the A/A")
    assert sentences[1].startswith("Writes of 4 KiB, fdatasync at the end:")
    assert "75% of the file's pages were in memory only" in sentences[-1]
    assert io_findings.write_headline(result).endswith("from left to right: 1.00, 1.00 times")


def test_the_slogan_stands_beside_the_largest_factor_of_this_run(result):
    sentence = io_findings.slogan_sentence(result)
    assert '"over 6000X", on six 7200 rpm SATA disks' in sentence
    assert "no block size and no sync policy" in sentence
    assert "Here the largest factor was 10.0 times [10.0, 10.0]: reads of 4 KiB, cold" in sentence


def test_a_device_that_cannot_be_counted_says_why(io_result):
    arms = speeds()
    result = io_result(arms, dict.fromkeys(arms, Unavailable("overlay shows no block device")))
    assert io_findings.device_requests(result, read(True, SMALL)) == Unavailable("overlay shows no block device")
    assert "Device requests: unavailable: overlay shows no block device." in io_findings.read_sentences(result)


def test_reads_that_could_not_be_cold_are_skipped_with_the_reason(io_result):
    arms = {arm: values for arm, values in speeds().items() if arm["operation"] == "write"}
    reason = Unavailable("coldness cannot be checked")
    result = io_result(arms, skipped=[(read(True, SMALL), reason), (read(False, SMALL), reason)])
    assert io_findings.read_sentences(result) == ["Cold reads were skipped: unavailable: coldness cannot be checked."]
    assert io_findings.read_headline(result) == "No finding about cold reads"
    assert "largest factor" in io_findings.slogan_sentence(result)


def test_a_smoke_run_is_no_finding(io_result):
    result = io_result(speeds(), is_smoke=True)
    assert io_findings.read_sentences(result) == io_findings.write_sentences(result) == [SMOKE]
    assert io_findings.slogan_sentence(result).endswith(SMOKE)
    assert "no finding" in io_findings.read_headline(result)
    assert "no finding" in io_findings.write_headline(result)


def test_the_device_is_named(result):
    sentence = io_findings.device_sentence(result)
    assert io_findings.device_words(result) in sentence
    assert "other programs' included" in sentence

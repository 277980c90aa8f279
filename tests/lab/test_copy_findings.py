from dataclasses import replace

import pytest

from kfast.lab import copy_findings
from kfast.lab.copy_cost import copy_arm
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.prediction import SMOKE
from kfast.lab.unavailable import Unavailable

SMALL, LARGE = 4096, 1 << 20
AA = copy_arm("sendfile", LARGE).again()
MODES = ("read_send", "mmap_send", "sendfile", "splice")
SENTENCES = (
    copy_findings.main_sentence,
    copy_findings.bare_sentence,
    copy_findings.throughput_sentence,
    copy_findings.receiver_sentence,
    copy_findings.working_set_sentence,
)


def runs(read_small, read_large, sendfile_small, sendfile_large):
    """Sender CPU s/GB of three blocks; all modes that are not named cost what sendfile does."""
    cpu = {copy_arm(mode, SMALL): [sendfile_small] * 10 for mode in MODES}
    cpu |= {copy_arm(mode, LARGE): [sendfile_large] * 10 for mode in MODES}
    cpu[copy_arm("read_send", SMALL)] = [read_small] * 10
    cpu[copy_arm("read_send", LARGE)] = [read_large] * 10
    cpu |= {copy_arm(mode, LARGE, is_discarded=True): [sendfile_large] * 10 for mode in MODES}
    cpu[copy_arm(BARE_SENDFILE, LARGE)] = [sendfile_large / 1.05] * 10
    cpu[AA] = [sendfile_large * 1.02] * 10
    return cpu


@pytest.fixture
def result(copy_result):
    return copy_result(runs(0.8, 0.2, 0.4, 0.05))


def test_each_factor_is_taken_alone_from_the_same_start(result):
    assert copy_findings.chunk_effect(result).median == pytest.approx(4.0)
    assert copy_findings.mode_effect(result).median == pytest.approx(2.0)
    assert copy_findings.mode_effect(result, -1).median == pytest.approx(4.0)


def test_the_larger_factor_is_named_whichever_it_is(copy_result, result):
    assert "the chunk size mattered more than the copy mode" in copy_findings.main_sentence(result)
    other = copy_result(runs(0.8, 0.6, 0.2, 0.05))
    assert "the copy mode mattered more than the chunk size" in copy_findings.main_sentence(other)


def test_two_factors_that_save_about_as_much_decide_nothing(copy_result):
    cpu = runs(0.8, 0.4, 0.4, 0.05)
    cpu[copy_arm("read_send", SMALL)] = [0.7, 0.8, 0.9, 0.8, 0.8] * 2
    cpu[copy_arm("read_send", LARGE)] = [0.5, 0.4, 0.3, 0.4, 0.4] * 2
    assert "cannot say which" in copy_findings.main_sentence(copy_result(cpu))


def test_an_effect_that_spans_1_is_called_none(copy_result):
    cpu = runs(0.4, 0.4, 0.4, 0.4)
    cpu[copy_arm("read_send", LARGE)] = [0.5, 0.4, 0.3, 0.4, 0.4] * 2
    sentence = copy_findings.main_sentence(copy_result(cpu))
    assert "showed no effect larger than the A/A resolution (1.00 times [" in sentence
    assert "larger chunks alone no effect" in copy_findings.headline(copy_result(cpu))


def test_an_effect_smaller_than_the_resolution_is_called_none(copy_result):
    result = copy_result(runs(0.408, 0.404, 0.404, 0.4))
    sentence = copy_findings.main_sentence(result)
    assert sentence.count("showed no effect larger than the A/A resolution (1.01 times [1.01, 1.01])") == 3
    assert "cannot say which" in sentence
    assert copy_findings.headline(result).endswith("larger chunks alone no effect, sendfile alone no effect")
    assert "1.01 times [1.01, 1.01] (no effect" in copy_findings.working_set_sentence(result)


def test_a_factor_that_goes_the_other_way_is_said_so(copy_result):
    result = copy_result(runs(0.4, 0.8, 0.2, 0.1))
    assert "rose 2.00 times" in copy_findings.main_sentence(result)
    assert "larger chunks alone × 2.00" in copy_findings.headline(result)


def test_the_sentences_hold_their_numbers(result):
    assert "1.05 times" in copy_findings.bare_sentence(result)
    assert "differed by up to 1.02 times" in copy_findings.bare_sentence(result)
    throughput = copy_findings.throughput_sentence(result)
    assert "0.25 times [0.25, 0.25] the sender's CPU" in throughput
    assert "moved 1.00 times [1.00, 1.00] (no effect larger than the A/A resolution) the GB/s" in throughput
    assert "5.00 times [5.00, 5.00] with read+send" in copy_findings.receiver_sentence(result)


def test_the_limit_is_the_process_that_was_busy(copy_result):
    result = copy_result(runs(0.95, 0.92, 0.4, 0.05))
    sentence = copy_findings.throughput_sentence(result)
    assert sentence.endswith("The limit: sender CPU with read+send, neither CPU alone with sendfile.")


def test_an_arm_that_cannot_be_run_here_leaves_its_reason_in_place_of_the_sentence(result):
    skipped = [copy_arm(mode, LARGE, is_discarded=True) for mode in MODES]
    left = [run for run in result.runs if run.arm not in skipped]
    result = replace(result, runs=left, skipped=[(arm, Unavailable("no MSG_TRUNC here")) for arm in skipped])
    assert copy_findings.receiver_sentence(result) == "No finding: no MSG_TRUNC here."
    assert "mattered more" in copy_findings.main_sentence(result)


def test_working_sets_are_told_apart(copy_result):
    cpu = {copy_arm("read_send", LARGE, 1 << 20): [0.2] * 10, copy_arm("sendfile", LARGE, 1 << 20): [0.1] * 10}
    cpu |= {copy_arm("read_send", LARGE, 64 << 20): [0.4] * 10, copy_arm("sendfile", LARGE, 64 << 20): [0.1] * 10}
    sentence = copy_findings.working_set_sentence(copy_result(cpu))
    assert "2.00 times [2.00, 2.00] on a working set of 1 MiB" in sentence
    assert "4.00 times [4.00, 4.00] on a working set of 64 MiB" in sentence


def test_the_counters_are_a_line_for_each_mode(result):
    head, *lines = copy_findings.counters_lines(result)
    assert "copied by the CPU" in head
    assert [line.split()[0] for line in lines] == ["read+send", "mmap+send", "sendfile", "splice"]
    assert [line.split()[-3] for line in lines] == ["2", "1", "0", "0"]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_smoke_run_is_no_finding(copy_result, sentence):
    assert sentence(copy_result(runs(0.8, 0.2, 0.4, 0.05), is_smoke=True)) == SMOKE


@pytest.mark.parametrize("sentence", SENTENCES)
def test_where_no_block_counts_there_is_no_finding(copy_result, sentence):
    result = copy_result(runs(0.8, 0.2, 0.4, 0.05), dropped_blocks=(0, 1, 2))
    assert sentence(result).startswith("7 blocks count and 3 lost too much")
    assert copy_findings.headline(result) == "Too few blocks, no finding (7 blocks)"


def test_the_headline_of_a_smoke_run_says_what_it_is(copy_result):
    result = copy_result(runs(0.8, 0.2, 0.4, 0.05), is_smoke=True)
    assert copy_findings.headline(result) == "Smoke run, no finding (10 blocks)"

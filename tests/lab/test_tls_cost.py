import pytest

from kfast.lab.copy_session import CACHED_SHARE, COPIES
from kfast.lab.experiment import BLOCK_COUNT, Measurement, Options
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.tls_cost import (
    SMALL_LOG_SIZE,
    TLS_COST,
    TLS_RECORD_SIZE,
    consume_arm,
    encryption_sentence,
    produce_arm,
    share_of,
    share_sentence,
    tls_arms,
    tls_comparisons,
)
from kfast.lab.tls_session import BROKER_CPU, PLAINTEXT, SSL, THROUGHPUT
from kfast.lab.unavailable import Unavailable
from kfast.lab.verdicts import copied_as_claimed, moved_something, ran_every_arm

LOG_SIZE = 1 << 20
ZERO, COPYING, ENCRYPTED = (consume_arm(mode, LOG_SIZE) for mode in ("sendfile", "read_send", "tls"))
SMALL_CHUNKS = consume_arm("read_send", LOG_SIZE, TLS_RECORD_SIZE)


def test_arms_say_what_they_are():
    assert [arm.name for arm in (ZERO, COPYING, ENCRYPTED)] == [
        "consume, plaintext, sendfile",
        "consume, plaintext, read+send",
        "consume, TLS",
    ]
    assert SMALL_CHUNKS.name == "consume, plaintext, read+send, 16 KiB chunks"
    assert consume_arm("tls", SMALL_LOG_SIZE, is_small=True).name == "consume, TLS, 4 MiB log"
    assert produce_arm(SSL).name == "produce, TLS"


def test_the_steps_from_sendfile_to_tls_come_first_and_in_the_same_chunks():
    arms = tls_arms(LOG_SIZE)
    assert arms[:3] == [ZERO, COPYING, ENCRYPTED]
    assert len({arm["chunk_size"] for arm in arms[:3]}) == 1
    assert {SMALL_CHUNKS, produce_arm(PLAINTEXT), produce_arm(SSL)} < set(arms)
    first, second, third = tls_comparisons(arms)[:3]
    assert (first.over, first.under) == (ENCRYPTED, ZERO)
    assert (second.over, second.under) == (COPYING, ZERO)
    assert (third.over, third.under) == (ENCRYPTED, COPYING)
    assert {one.measure for one in (first, second, third)} == {BROKER_CPU}


def test_each_comparison_on_the_large_log_has_an_a_a_pair_of_its_own_and_none_needs_tls():
    arms = tls_arms(LOG_SIZE)
    twice = [arm for arm in arms if arm.again() in arms and not arm.replicate]
    assert all(arm["security_protocol"] == PLAINTEXT for arm in twice)
    for one in tls_comparisons(arms):
        assert one.over in twice or one.under in twice or "4 MiB log" in one.words


def test_a_full_run_compares_a_small_log_as_well():
    words = [one.words for one in tls_comparisons(tls_arms(LOG_SIZE))]
    assert len(set(words)) == len(words)
    assert sum("4 MiB log" in one for one in words) == 3
    assert not any("4 MiB log" in one.words for one in tls_comparisons(tls_arms(LOG_SIZE, is_smoke=True)))


@pytest.fixture
def tls_result(some_provenance):
    """`tls_result({arm: [broker CPU s/GB a block]})`, with the three steps first; again and again to BLOCK_COUNT."""

    def make(cpu_s_per_gb, is_smoke=False):
        runs = [
            Run(block, arm, Measurement(1.0, {}, {BROKER_CPU: value}, "broker CPU"), Unavailable("made up"))
            for arm, values in cpu_s_per_gb.items()
            for block, value in enumerate(values * (BLOCK_COUNT // len(values)))
        ]
        arms = (ZERO, COPYING, ENCRYPTED, *(arm for arm in cpu_s_per_gb if arm not in (ZERO, COPYING, ENCRYPTED)))
        found = tls_comparisons(arms)
        return ExperimentResult("E8", arms, found, runs, (), some_provenance, {}, 0, is_smoke)

    return make


STEPS = {ZERO: [0.1, 0.2], COPYING: [0.2, 0.3], ENCRYPTED: [0.5, 0.6]}
PRODUCED = {produce_arm(PLAINTEXT): [1.0, 1.5], produce_arm(SSL): [1.25, 1.75]}


def test_the_cost_of_tls_is_split_within_each_block(tls_result):
    result = tls_result({**STEPS, SMALL_CHUNKS: [0.3, 0.4], **PRODUCED})
    assert share_of(result, COPYING).median == pytest.approx(0.25)
    words = share_sentence(result)
    assert "25% [25%, 25%] is the lost zero copy" in words
    assert "The other 75% came with encryption" in words
    assert words.endswith("In chunks of 16 KiB read+send alone adds 50% [50%, 50%].")


def test_encryption_is_told_for_both_directions(tls_result):
    words = encryption_sentence(tls_result({**STEPS, **PRODUCED}))
    assert words.startswith("Encryption added 0.3 [0.3, 0.3] s of broker CPU to a GB that the broker sends")
    assert words.endswith("and 0.25 [0.25, 0.25] s of broker CPU to a GB that it receives (producing).")


def test_where_there_is_nothing_to_split_the_sentence_says_why(tls_result):
    assert "no more than what it is added to" in share_sentence(tls_result({**STEPS, ENCRYPTED: [0.1, 0.6]}))
    assert "no block has all three arms" in share_sentence(tls_result({ZERO: [0.1], COPYING: [0.2]}))
    assert encryption_sentence(tls_result({ZERO: [0.1], COPYING: [0.2]})) == "TLS could not be run here."
    within = tls_result({ZERO: [0.1, 0.1], COPYING: [0.1, 0.1], ENCRYPTED: [0.11, 0.11], ZERO.again(): [0.12, 0.12]})
    assert share_sentence(within).startswith("TLS added no broker CPU to be seen")
    assert share_sentence(tls_result(STEPS, is_smoke=True)).startswith("A smoke run")
    assert encryption_sentence(tls_result(STEPS, is_smoke=True)).startswith("A smoke run")


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(TLS_COST, Options(is_smoke=True, block_count=1))
    return run.result([one for block in run.blocks() for one in block])


def test_every_arm_moves_records(smoke_result):
    assert ran_every_arm(smoke_result)
    assert moved_something(smoke_result, THROUGHPUT)
    assert moved_something(smoke_result, BROKER_CPU)


def test_the_broker_counts_no_copy_two_and_three(smoke_result):
    assert copied_as_claimed(smoke_result)
    copies = {run.arm.name: run.value(COPIES) for run in smoke_result.runs if not run.arm.replicate}
    assert copies["consume, plaintext, sendfile"] == 0
    assert copies["consume, plaintext, read+send"] == 2
    assert copies["consume, TLS"] == 3
    assert not copies["produce, TLS"]


def test_the_logs_are_warm(smoke_result):
    shares = [run.value(CACHED_SHARE) for run in smoke_result.runs]
    assert all(isinstance(share, Unavailable) or share == 1 for share in shares)


def test_the_cipher_belongs_to_the_result(smoke_result):
    assert " of TLSv1." in smoke_result.conditions["encryption"]
    assert "OpenSSL" in smoke_result.conditions["encryption"]

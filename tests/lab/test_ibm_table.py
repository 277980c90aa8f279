from dataclasses import replace

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import FINDING_BLOCK_COUNT
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.ibm_table import (
    AS_PUBLISHED,
    ELAPSED,
    EQUAL_CHUNK_SIZE,
    FILE_SIZES,
    IBM_TABLE,
    MB,
    REPAIRED,
    about_time,
    flaw,
    published_ratios,
    share_sentences,
    table_arm,
    table_arms,
    time_ratio,
)
from kfast.lab.prediction import SMOKE


def test_the_files_are_those_of_the_table():
    assert [size // MB for size in FILE_SIZES] == [7, 21, 63, 98, 200, 350, 700, 1024]


def test_as_published_two_things_differ_and_repaired_one():
    published = [table_arm(mode, 7 * MB, AS_PUBLISHED) for mode in ("read_send", "sendfile")]
    repaired = [table_arm(mode, 7 * MB, REPAIRED) for mode in ("read_send", "sendfile")]
    assert [arm["chunk_size"] for arm in published] == [4096, 7 * MB]
    assert [arm["chunk_size"] for arm in repaired] == [EQUAL_CHUNK_SIZE] * 2
    assert published[1].name == "7 MB, sendfile, one call"


def test_every_file_has_both_modes_in_both_forms():
    arms = table_arms(FILE_SIZES)
    assert len(arms) == 4 * len(FILE_SIZES) + 1
    assert len(set(arms)) == len(arms)


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(IBM_TABLE, Options(is_smoke=True))
    return run.result([one for block in run.blocks() for one in block])


def test_every_run_sends_its_whole_file(smoke_result):
    assert {run.value("sent_bytes") for run in smoke_result.runs} == {7 * MB}
    assert all(run.value(ELAPSED) > 0 for run in smoke_result.runs)


def test_calls_are_counted(smoke_result):
    calls = {
        arm: round(smoke_result.values(arm, "syscalls_per_gb")[0] * 7 / 1000)
        for arm in (table_arm("read_send", 7 * MB, AS_PUBLISHED), table_arm("sendfile", 7 * MB, REPAIRED))
    }
    few, many = sorted(calls.values())
    assert few < many
    assert many == 2 * -(-7 * MB // 4096), "a read and a send for each 4 KiB"


def test_published_ratios_are_found_by_the_words_of_a_comparison(smoke_result):
    words = smoke_result.comparisons[0].words
    assert words == "7 MB, as published: time of read+send over sendfile"
    assert published_ratios()[words] == 156 / 45
    assert all(one.measure == ELAPSED for one in about_time([smoke_result])[0].comparisons)
    assert time_ratio(AS_PUBLISHED, 7 * MB) in smoke_result.comparisons


def test_the_flaw_is_the_size_of_a_call(smoke_result):
    assert [arm["chunk_size"] for arm in flaw(smoke_result)] == [4096, EQUAL_CHUNK_SIZE]


def test_a_smoke_run_has_no_shares(smoke_result):
    assert share_sentences(smoke_result) == [SMOKE]
    first = [run for run in smoke_result.runs if run.block == 0]
    runs = [replace(run, block=block) for block in range(FINDING_BLOCK_COUNT) for run in first]
    full = replace(smoke_result, is_smoke=False, runs=runs)
    assert share_sentences(full)[0].startswith("7 MB: ")

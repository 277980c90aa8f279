"""Structure, and what is true on any machine; speeds are not tested."""

import json

import pytest

from kfast.child_process import ChildError
from kfast.lab.copy_experiment import CopyArm, CopyExperiment, CopyLink, copy_arms
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.transfer.modes import COPY_MODES, CPU_COPIES

SIZE, CHUNK, WORKING_SET = 1 << 20, 64 << 10, 256 << 10


def small_arms(**choice) -> list[CopyArm]:
    return copy_arms(chunk_sizes=[CHUNK], working_set_sizes=[WORKING_SET], **choice)


@pytest.fixture(scope="module")
def result():
    told = []
    experiment = CopyExperiment(small_arms(), block_count=2, run_size=SIZE, fetch_size=CHUNK * 2, is_smoke=True)
    result = experiment.run(lambda *words: told.append(words))
    arm_count = len(experiment.arms)
    assert [done for done, _, _ in told] == list(range(1, 3 * arm_count + 1))
    assert {total for _, total, _ in told} == {3 * arm_count}
    return result


def test_the_arms_are_all_combinations_with_a_control_and_a_twin():
    arms = copy_arms(["read_send", "sendfile"], [4096, 65536], [1 << 20], [False, True])
    assert len(arms) == 8 + 2
    assert arms[-2] == CopyArm(BARE_SENDFILE, 65536, 1 << 20, False)
    assert arms[-1] == CopyArm("sendfile", 65536, 1 << 20, False, replicate=1)
    assert len(set(arms)) == len(arms)


def test_each_block_runs_every_arm_once_in_an_order_of_its_own(result):
    orders = [[run.arm for run in result.runs if run.block == block] for block in (0, 1)]
    assert [set(order) for order in orders] == [set(result.arms)] * 2
    assert orders[0] != orders[1]


@pytest.mark.parametrize("mode", list(COPY_MODES))
def test_every_mode_sent_every_byte_and_copied_what_it_says(mode, result):
    arm = CopyArm(mode, CHUNK, WORKING_SET)
    (summary,) = [summary for summary in result.summaries() if summary.arm == arm]
    assert summary.cpu_copies == CPU_COPIES[mode]
    assert summary.sender_cpu_s_per_gb.count == 2
    assert {run.sent_bytes for run in result.runs_of(arm)} == {SIZE}


def test_the_bare_loop_makes_the_calls_of_sendfile_and_no_more(result):
    syscalls = {run.arm.copy_mode: run.syscalls for run in result.runs}
    assert syscalls[BARE_SENDFILE] == syscalls["sendfile"] == SIZE // CHUNK


def test_the_file_was_warm_throughout(result):
    for run in result.runs:
        if isinstance(run.residency, dict):
            assert run.residency["cached_pages"] == run.residency["page_count"]


def test_ratios_are_paired_by_block_and_the_twin_gives_a_resolution(result):
    ratio = result.cpu_ratio(CopyArm("read_send", CHUNK, WORKING_SET), CopyArm("sendfile", CHUNK, WORKING_SET))
    assert ratio.count == 2
    assert result.aa_resolution() >= 1.0


def test_the_result_is_json_with_its_conditions(result):
    found = json.loads(json.dumps(result.to_json()))
    assert found["is_smoke"] is True
    assert found["provenance"]["touched_memory_bytes"] > 0
    assert len(found["runs"]) == 2 * len(result.arms)
    assert len(found["summaries"]) == len(result.arms)
    assert found["congestion_control"]


def test_a_receiver_that_discards_takes_every_byte_too():
    arm = CopyArm("sendfile", CHUNK, WORKING_SET, is_discarded=True)
    experiment = CopyExperiment([arm], block_count=1, run_size=SIZE, is_smoke=True)
    (run,) = next(iter(experiment.blocks()))
    assert run.arm.is_discarded
    assert run.receiver_syscalls > 0


def test_an_arm_a_child_cannot_run_ends_the_link_with_its_words(tmp_path):
    path = tmp_path / "small.log"
    path.write_bytes(bytes(1000))
    with CopyLink(str(path)) as link, pytest.raises(ChildError, match="a working set of 2000 bytes"):
        link.run(CopyArm("sendfile", CHUNK, 2000), 0, 2000, 500)

from dataclasses import replace

import pytest

from kfast.lab.batching import BATCHING, batch_arm, batch_arms
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun


def test_an_arm_says_what_it_is():
    assert batch_arm(1_000, 100, "zstd", "confluent").name == "1,000 x 100 B, zstd, librdkafka"


def test_batches_go_from_one_record_to_ten_thousand_by_both_clients():
    arms = batch_arms(is_smoke=False)
    for client in ("raw", "confluent"):
        counts = {arm["batch_records"] for arm in arms if arm["client"] == client and arm["record_size"] == 100}
        assert counts == {1, 10, 100, 1_000, 10_000}
    assert {arm["compression"] for arm in arms} == {"none", "gzip", "snappy", "lz4", "zstd"}
    assert {arm["client"] for arm in arms if arm["compression"] != "none"} == {"confluent"}, "raw ones compress nothing"


def test_every_comparison_of_the_full_form_has_an_arm_that_runs_twice():
    plan = BATCHING.plan(Options())
    twice = {replace(arm, replicate=0) for arm in plan.arms if arm.replicate}
    assert all(twice & {one.over, one.under} for one in plan.comparisons)
    assert len(plan.arms) == len(set(plan.arms)) == 32
    assert plan.run_count * plan.run_s < 14 * 60


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(BATCHING, Options(is_smoke=True, block_count=1))
    return run.result([one for block in run.blocks() for one in block])


def test_every_arm_produces(smoke_result):
    assert {run.arm for run in smoke_result.runs} == set(smoke_result.arms)
    assert all(run.value("produced_records_per_s") > 0 for run in smoke_result.runs)


def test_a_batch_of_one_stores_its_header_for_one_record(smoke_result):
    alone, among_many = (
        smoke_result.summary(batch_arm(count), "stored_bytes_per_record").median for count in (1, 1_000)
    )
    assert alone > among_many

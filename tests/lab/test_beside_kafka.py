import pytest

from kfast.lab import beside_session
from kfast.lab.apache_kafka import KafkaMissingError
from kfast.lab.beside_kafka import BESIDE_KAFKA, COMPARED, beside_arm, beside_arms, beside_comparisons, effect
from kfast.lab.beside_loads import (
    ALONE,
    BYTES,
    CPU_PER_GB,
    CPU_PER_REQUEST,
    FETCH,
    LIBRARY_PRODUCE,
    LOADS,
    P50,
    PRODUCE,
    SMALL,
)
from kfast.lab.beside_session import CHECKING_KFAST, CLUSTER, KAFKA, KFAST, OPEN_KAFKA
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.unavailable import Unavailable


def test_an_arm_says_what_it_is():
    assert beside_arm(KFAST, ALONE).name == "100 B a request, one in flight: kfast"
    assert beside_arm(CLUSTER, FETCH).name == "raw fetches of 1 MiB: the named cluster"


def test_every_load_is_put_on_both_brokers_and_large_ones_on_larger_buffers_too():
    arms = beside_arms()
    produced = [PRODUCE, SMALL, LIBRARY_PRODUCE]
    expected = ((KFAST, [*LOADS]), (KAFKA, [*LOADS]), (OPEN_KAFKA, [FETCH, PRODUCE]), (CHECKING_KFAST, produced))
    for broker, loads in expected:
        assert [arm["load"] for arm in arms if (arm["broker"], arm.replicate) == (broker, 0)] == loads


def test_each_comparison_has_an_a_a_pair_of_its_own_and_kfasts_do_not_need_kafka():
    arms = beside_arms()
    twice = [arm for arm in arms if arm.again() in arms and not arm.replicate]
    assert [arm["load"] for arm in twice if arm["broker"] == KFAST] == [*LOADS]
    headline = beside_comparisons(arms)[0]
    assert {headline.over, headline.under} < set(twice)
    assert all(one.over in twice or one.under in twice for one in beside_comparisons(arms))


@pytest.mark.parametrize("is_smoke", [True, False])
def test_a_named_cluster_gets_every_load_and_is_not_compared_by_cpu(is_smoke):
    arms = beside_arms(is_smoke, with_cluster=True)
    there = [arm["load"] for arm in arms if arm["broker"] == CLUSTER]
    assert there == list(dict.fromkeys(arm["load"] for arm in arms))
    compared = [one for one in beside_comparisons(arms) if one.under["broker"] == CLUSTER]
    assert {one.under["load"] for one in compared} == set(there)
    assert not {one.measure for one in compared} & {CPU_PER_GB, CPU_PER_REQUEST}


def test_the_headline_is_what_a_fetched_gigabyte_costs():
    first = beside_comparisons(beside_arms())[0]
    assert first == effect(FETCH, CPU_PER_GB, OPEN_KAFKA)
    assert first.words == "kfast over Apache Kafka, system's buffers, raw fetches of 1 MiB, broker CPU a GB"
    assert first.measure == BESIDE_KAFKA.measures[0].name


def test_what_looking_at_records_costs_is_a_comparison_and_so_is_the_same_work_beside_kafka():
    compared = [(one.over["broker"], one.under["broker"]) for one in beside_comparisons(beside_arms())]
    assert compared.count((CHECKING_KFAST, KFAST)) == compared.count((CHECKING_KFAST, KAFKA)) == 6
    found = effect(PRODUCE, CPU_PER_GB, KFAST, CHECKING_KFAST)
    assert found.words == "kfast that looks at records over kfast, raw batches of 100 KiB, broker CPU a GB"
    assert found in beside_comparisons(beside_arms(is_smoke=True))


def test_what_kafkas_buffers_do_is_a_comparison_of_its_own():
    found = effect(FETCH, BYTES, OPEN_KAFKA, over=KAFKA)
    assert found in beside_comparisons(beside_arms())
    assert found.words == "Apache Kafka over Apache Kafka, system's buffers, raw fetches of 1 MiB, bytes a second"


def test_each_load_is_compared_by_cpu_and_by_what_it_is_for():
    assert set(COMPARED) == set(LOADS)
    assert all({CPU_PER_GB, CPU_PER_REQUEST} & set(measures) for measures in COMPARED.values())


@pytest.fixture(scope="module")
def smoke_result():
    def missing(*arguments):
        raise KafkaMissingError("there is no java on this machine")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(beside_session, "ApacheKafka", missing)
        return ExperimentRun(BESIDE_KAFKA, Options(is_smoke=True, block_count=1)).run()


def test_without_kafka_the_smoke_run_has_kfast_alone_and_says_why(smoke_result):
    here = {arm for arm in smoke_result.arms if arm["broker"] in (KFAST, CHECKING_KFAST)}
    assert {run.arm for run in smoke_result.runs} == here
    assert len([arm for arm in here if arm["broker"] == CHECKING_KFAST]) == 1
    assert {str(reason) for _, reason in smoke_result.skipped} == {"unavailable: there is no java on this machine"}
    assert all(run.value(BYTES) > 0 and run.value(P50) > 0 for run in smoke_result.runs)
    assert str(smoke_result.ratio(smoke_result.comparisons[0])) == "unavailable: there is no java on this machine"
    assert not isinstance(smoke_result.aa_resolution(P50), Unavailable)

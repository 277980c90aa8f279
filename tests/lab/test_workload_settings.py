from __future__ import annotations

from typing import Any

import pytest

from kfast.lab.workload_settings import WorkloadError, WorkloadSettings, client_plans


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"copy_mode": "teleport"}, "copy_mode is one of read_send, .*'teleport'"),
        ({"workload": "re-read"}, "workload is one of produce, reread, both, follow, idle, not 're-read'"),
        ({"client": "java"}, "client is one of raw, confluent"),
        ({"flush": 7}, "flush is one of never, batch, not 7"),
        ({"batch_records": 0}, "batch_records is at least 1, not 0"),
        ({"batch_records": 16384, "record_size": 10240}, "168034304 bytes, 33554432 are the limit"),
        ({"layout": "heap"}, "layout is one of log, scattered, not 'heap'"),
        ({"colour": "blue"}, "'colour' is no setting"),
    ],
)
def test_what_cannot_be_is_refused_with_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkloadError, match=words):
        WorkloadSettings().changed(settings)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"workload": "produce", "consumer_count": 3}, ["producer"]),
        ({"workload": "reread", "consumer_count": 2}, ["consumer 1", "consumer 2"]),
        ({"workload": "both"}, ["producer", "consumer 1"]),
        ({"workload": "follow"}, ["producer", "consumer 1"]),
        ({"workload": "idle"}, []),
    ],
)
def test_the_clients_of_a_workload(settings: dict[str, Any], names: list[str]) -> None:
    assert list(client_plans(WorkloadSettings(**settings))) == names


def test_a_change_of_size_is_no_change_of_process() -> None:
    before = client_plans(WorkloadSettings())
    after = client_plans(WorkloadSettings(batch_records=7, fetch_bytes=4096, record_size=9, compression="lz4"))
    for name, plan in before.items():
        assert (plan.kind, plan.fixed) == (after[name].kind, after[name].fixed)
    assert after["producer"].changeable == {"batch_records": 7, "record_size": 9, "compression": "lz4"}
    assert after["consumer 1"].changeable == {"fetch_bytes": 4096}


def test_another_kind_of_client_is_another_process() -> None:
    plans = client_plans(WorkloadSettings(client="confluent"))
    assert {name: plan.kind for name, plan in plans.items()} == {
        "producer": "confluent-produce",
        "consumer 1": "confluent-consume",
    }
    assert "receive" not in plans["consumer 1"].fixed


@pytest.mark.parametrize("client", ["raw", "confluent"])
def test_who_follows_waits_at_the_end_and_polls_as_told(client: str) -> None:
    settings = WorkloadSettings(workload="follow", client=client)
    fixed = client_plans(settings)["consumer 1"].fixed
    assert (fixed["at_end"], "max_wait_ms" in fixed) == ("wait", False)
    fixed = client_plans(settings.changed({"long_polls": False}))["consumer 1"].fixed
    assert fixed["max_wait_ms"] == 0

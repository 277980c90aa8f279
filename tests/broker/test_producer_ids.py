"""InitProducerId: new ids for idempotent producers, a final answer to transactional ones."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.wire.api_versions import API_VERSIONS, ApiKey


def init(client: Any, transactional_id: str | None = None, version: int | None = None, **values: int) -> Any:
    timeout = datetime.timedelta(seconds=60)
    return client.ask(
        ApiKey.INIT_PRODUCER_ID, version, transactional_id=transactional_id, transaction_timeout=timeout, **values
    )


@pytest.mark.parametrize("version", range(API_VERSIONS[ApiKey.INIT_PRODUCER_ID].max + 1))
def test_every_producer_gets_an_id_of_its_own(client: Any, version: int) -> None:
    answers = [init(client, version=version) for _ in range(3)]
    assert [(answer.error_code, answer.producer_id, answer.producer_epoch) for answer in answers] == [
        (0, 0, 0),
        (0, 1, 0),
        (0, 2, 0),
    ]


def test_ids_go_on_above_all_earlier_ones_after_a_restart(tmp_path: Path, connect: Any) -> None:
    ids = []
    for _ in range(2):
        with Broker(tmp_path) as broker:
            other = connect(broker.port)
            ids.append(init(other).producer_id)
    assert ids == [0, 1000]


def test_a_producer_with_an_id_gets_a_new_one(client: Any) -> None:
    first = init(client)
    again = init(client, producer_id=first.producer_id, producer_epoch=0)
    assert (again.error_code, again.producer_id, again.producer_epoch) == (0, first.producer_id + 1, 0)


@pytest.mark.parametrize(
    ("transactional_id", "values", "error_code"),
    [
        ("transfers", {}, 53),
        ("", {}, 42),
        (None, {"producer_id": 5}, 42),
        (None, {"producer_epoch": 5}, 42),
    ],
)
def test_what_is_not_served_gets_no_id(
    broker: Broker, client: Any, transactional_id: str | None, values: dict[str, int], error_code: int
) -> None:
    answer = init(client, transactional_id, **values)
    assert (answer.error_code, answer.producer_id, answer.producer_epoch) == (error_code, -1, -1)
    assert broker.metadata.image.next_producer_id == 0

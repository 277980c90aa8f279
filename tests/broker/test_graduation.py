"""A directory that is ready for Kafka gets its server.properties; one that is not says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.graduation import graduate
from kfast.errors import InvalidConfigError, LogDirectoryError
from kfast.record.metadata_records import BROKER_RESOURCE


def parsed(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Broker(tmp_path / "data") as broker:
        broker.metadata.create_topic("events", 3)
        broker.metadata.alter_configs(BROKER_RESOURCE, "", {"log.retention.ms": "5", "sasl.secret": "x"})
    return tmp_path / "data"


def test_a_directory_of_kfasts(directory: Path) -> None:
    text = graduate(directory, "0.0.0.0:1092", "127.0.0.1:1093", {"num.partitions": "4"}).text("my.properties")
    assert (
        parsed(text).items()
        >= {
            "node.id": "1",
            "controller.quorum.bootstrap.servers": "127.0.0.1:1093",
            "listeners": "PLAINTEXT://0.0.0.0:1092,CONTROLLER://127.0.0.1:1093",
            "log.dirs": str(directory),
            "num.partitions": "4",
        }.items()
    )
    assert "# 1 topics, 3 partitions and the metadata log: 4 segments, " in text
    assert "# In the directory, as dynamic settings of all brokers: log.retention.ms=5, sasl.secret\n" in text
    assert "# Start it with: bin/kafka-server-start.sh my.properties\n" in text


def test_a_directory_of_kafkas_keeps_its_static_quorum(golden: Any) -> None:
    assert parsed(graduate(golden("12-kraft") / "log").text())["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_ipv6(directory: Path) -> None:
    listeners = parsed(graduate(directory, "[::1]:1092", "[::1]:1093").text())["listeners"]
    assert listeners == "PLAINTEXT://[::1]:1092,CONTROLLER://[::1]:1093"


def test_a_damaged_one_is_refused_with_all_that_was_found(directory: Path) -> None:
    (directory / "backup").mkdir()
    (directory / "events-0" / f"{0:020d}.log").write_bytes(b"torn")
    with pytest.raises(LogDirectoryError) as raised:
        graduate(directory)
    assert "4 bytes are no whole batch" in str(raised.value)
    assert "backup: Kafka does not start" in str(raised.value)
    assert f"kfast serve --data-dir {directory}" in str(raised.value)


def test_settings_and_addresses_are_checked(directory: Path) -> None:
    with pytest.raises(InvalidConfigError):
        graduate(directory, config={"num.partitions": "many"})
    with pytest.raises(ValueError, match="HOST:PORT"):
        graduate(directory, "nowhere")

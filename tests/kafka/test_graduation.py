"""Apache Kafka makes of a damaged log what `kfast graduate` says that it will."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kfast.broker.graduation import graduate
from kfast.errors import LogDirectoryError


def end_offset(bootstrap_servers: str) -> int:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    partition = TopicPartition("dense", 0)
    return int(admin.list_offsets({partition: OffsetSpec.latest()})[partition].result(30).offset)


def test_what_nobody_checks_stays_until_all_is_checked(
    golden: Any, tmp_path: Path, start_kafka_by: Any, free_ports: Any
) -> None:
    directory, properties = golden.extract("01-plain", tmp_path) / "log", tmp_path / "server.properties"
    port, controller_port = free_ports(2)
    servers = f"127.0.0.1:{port}"
    properties.write_text(graduate(directory, servers, f"127.0.0.1:{controller_port}").text())
    path = directory / "dense-0" / f"{162:020d}.log"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(LogDirectoryError, match="neither Kafka nor kfast looks there") as raised:
        graduate(directory)
    assert "cut the log there, at offset 318" in str(raised.value)
    kafka = start_kafka_by(directory, servers, properties)
    assert end_offset(servers) == 400
    kafka.stop()
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (directory / name).unlink()
    kafka = start_kafka_by(directory, servers, properties)
    assert end_offset(servers) == 318
    kafka.stop()
    graduate(directory)

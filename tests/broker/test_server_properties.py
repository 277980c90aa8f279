"""The settings by which Kafka starts on a directory, as java.util.Properties reads them."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from kfast.broker.quorum import Quorum
from kfast.broker.server_properties import server_properties, to_text
from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import MetaProperties

DYNAMIC = Quorum.of_one(MetaProperties("cluster", 3, uuid.UUID(int=1234)))


def settings(quorum: Quorum = DYNAMIC, listener: str = "PLAINTEXT://127.0.0.1:9092", **config: str) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return server_properties(Path("/data/kafka"), 3, quorum, listener, "127.0.0.1:9093", named)


def test_a_dynamic_quorum_is_found_by_its_address_and_a_static_one_is_named() -> None:
    assert settings()["controller.quorum.bootstrap.servers"] == "127.0.0.1:9093"
    assert "controller.quorum.voters" not in settings()
    assert settings(Quorum())["controller.quorum.voters"] == "3@127.0.0.1:9093"
    assert "controller.quorum.bootstrap.servers" not in settings(Quorum())


def test_the_node_listens_where_it_is_told() -> None:
    found = settings()
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert (found["node.id"], found["process.roles"], found["log.dirs"]) == ("3", "broker,controller", "/data/kafka")
    assert "inter.broker.listener.name" not in found
    assert settings(listener="SSL://host:1")["inter.broker.listener.name"] == "SSL"


def test_what_kafka_knows_of_the_configuration_goes_along() -> None:
    found = settings(num_partitions="6", kfast_copy_mode="splice", node_id="9")
    assert found["num.partitions"] == "6"
    assert found["node.id"] == "3"
    assert not any(name.startswith("kfast.") for name in found)


def test_a_path_that_kafka_would_take_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogDirectoryError, match="comma"):
        server_properties(tmp_path / "a,b", 1, DYNAMIC, "PLAINTEXT://h:1", "h:2", {})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text=x#y", "plain text=x#y"),
        ("größe-😀", "gr\\u00f6\\u00dfe-\\ud83d\\ude00"),
        ("a\\b", "a\\\\b"),
        (" in front", "\\ in front"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_values_are_escaped_for_java(value: str, text: str) -> None:
    assert to_text({"key": value}) == f"key={text}\n"

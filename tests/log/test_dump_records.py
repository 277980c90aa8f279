"""What the records of Kafka's own topics say, held against what Kafka's DumpLogSegments printed of the same files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kfast.log.dump import dump, is_invalid

# Kafka's names where ours are more than another spelling of them.
KAFKAS_NAMES = {
    "PartitionRecord": {"partition": "partitionId"},
    "PartitionChangeRecord": {"partition": "partitionId"},
    "OffsetCommit": {"commit_timestamp_ms": "commitTimestamp", "expire_timestamp_ms": "expireTimestamp"},
    "GroupMetadata": {
        "state_timestamp_ms": "currentStateTimestamp",
        "rebalance_timeout_ms": "rebalanceTimeout",
        "session_timeout_ms": "sessionTimeout",
    },
    "Transaction": {
        "partitions": "transactionPartitions",
        "state": "transactionStatus",
        "last_update_timestamp_ms": "transactionLastUpdateTimestampMs",
        "start_timestamp_ms": "transactionStartTimestampMs",
    },
}


def as_kafka_says(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(name) or camel(name): as_kafka_says(item, names) for name, item in value.items()}
    return [as_kafka_says(item, names) for item in value] if isinstance(value, list) else value


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def as_kafka_types(kind: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", kind).upper()


def plain(value: Any, defaults: Mapping[str, Any]) -> Any:
    """Without what is null or at its default, some of which Kafka leaves out, and without members' opaque bytes."""
    if isinstance(value, dict):
        kept = {name: plain(item, defaults) for name, item in value.items() if name not in OPAQUE}
        return {name: item for name, item in kept.items() if item is not None and defaults.get(name) != item}
    return [plain(item, defaults) for item in value] if isinstance(value, list) else value


KINDS = {
    "06-transactions": {"Transaction"},
    "09-groups": {
        "OffsetCommit",
        "GroupMetadata",
        "ConsumerGroupMetadata",
        "ConsumerGroupMemberMetadata",
        "ConsumerGroupTargetAssignmentMetadata",
        "ConsumerGroupTargetAssignmentMember",
        "ConsumerGroupCurrentMemberAssignment",
    },
}

DEFAULTS = {
    "leaderRecoveryState": 0,
    "leaderEpoch": -1,
    "fenced": 0,
    "inControlledShutdown": 0,
    "metadataHash": 0,
    "previousProducerId": -1,
    "nextProducerId": -1,
    "clientTransactionVersion": 0,
    "nextProducerEpoch": -1,
}


OPAQUE = ("subscription", "assignment")
"""What group members tell each other: bytes here, and read further by Kafka."""


def contents(path: Path) -> dict[int, dict[str, Any]]:
    """What the records of a segment say, by offset."""
    entries = list(dump([path], deep=True))
    assert not any(map(is_invalid, entries))
    return {entry["offset"]: entry["content"] for entry in entries if entry["type"] == "record"}


def said(lines: list[str], name: str) -> dict[int, Any]:
    """The JSON after `name` in lines of DumpLogSegments, by offset."""
    found = {}
    for line in lines:
        offset = re.search(r"offset: (\d+)", line)
        text = re.search(rf" {name}: ({{.*)", line)
        if offset and text:
            found[int(offset[1])] = json.JSONDecoder().raw_decode(text[1])[0]
    return found


def test_the_metadata_log_and_its_snapshots(golden: Any) -> None:
    directory = golden("12-kraft") / "log" / "__cluster_metadata-0"
    compared = set()
    for name, lines in golden.manifest["cases"]["12-kraft"]["metadata_records"].items():
        found = contents(directory / name if (directory / name).exists() else directory.parent / name)
        for offset, payload in said(lines, "payload").items():
            content = dict(found[offset])
            kind, version = content.pop("kind"), content.pop("version")
            assert (as_kafka_types(kind), version) == (payload["type"], payload["version"])
            ours = as_kafka_says(content, KAFKAS_NAMES.get(kind, {}))
            assert plain(ours, DEFAULTS) == plain(payload["data"], DEFAULTS)
            compared.add(kind)
        for offset, change in said(lines, "LeaderChange").items():
            del change["version"]
            assert as_kafka_says(found[offset], {}) == {**change, "kind": "LeaderChange"}
    assert {"TopicRecord", "PartitionChangeRecord", "RegisterBrokerRecord", "BrokerRegistrationChangeRecord"} < compared


@pytest.mark.parametrize(("case", "facts"), [("06-transactions", "transaction_log"), ("09-groups", "consumer_offsets")])
def test_transactions_and_groups(golden: Any, case: str, facts: str) -> None:
    compared = set()
    for name, lines in golden.manifest["cases"][case][facts].items():
        found = contents(golden(case) / "log" / name)
        keys, values = said(lines, "key"), said(lines, "payload")
        for offset, key in keys.items():
            content = found[offset]
            compared.add(content["kind"])
            assert as_kafka_says(content["key"], KAFKAS_NAMES.get(content["kind"], {})) == key["data"]
            if offset not in values:
                assert (content["value"], "version" in content) == (None, False)
                continue
            assert str(content["version"]) == values[offset]["version"]
            ours = as_kafka_says(content["value"], KAFKAS_NAMES.get(content["kind"], {}))
            assert plain(ours, DEFAULTS) == plain(values[offset]["data"], DEFAULTS)
    assert compared == KINDS[case]

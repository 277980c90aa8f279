"""The handlers of group requests, reached through the codec in old and new versions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from kfast.broker import groups, topics
from kfast.broker.context import RequestContext
from kfast.broker.group_coordinator import GroupCoordinator
from kfast.errors import KfastError
from kfast.wire import codec
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.framing import RequestHeader
from kfast.wire.schemas import build, item_type

HANDLERS = {
    ApiKey.FIND_COORDINATOR: groups.find_coordinator,
    ApiKey.JOIN_GROUP: groups.join_group,
    ApiKey.SYNC_GROUP: groups.sync_group,
    ApiKey.HEARTBEAT: groups.heartbeat,
    ApiKey.LEAVE_GROUP: groups.leave_group,
    ApiKey.OFFSET_COMMIT: groups.offset_commit,
    ApiKey.OFFSET_FETCH: groups.offset_fetch,
    ApiKey.DESCRIBE_GROUPS: groups.describe_groups,
    ApiKey.LIST_GROUPS: groups.list_groups,
    ApiKey.DELETE_TOPICS: topics.delete_topics,
}

OLDEST = {api_key: API_VERSIONS[api_key].min for api_key in HANDLERS}
NEWEST = {api_key: API_VERSIONS[api_key].max for api_key in HANDLERS}
AIOKAFKA = {
    **OLDEST,
    ApiKey.JOIN_GROUP: 5,
    ApiKey.SYNC_GROUP: 3,
    ApiKey.HEARTBEAT: 1,
    ApiKey.LEAVE_GROUP: 1,
    ApiKey.OFFSET_COMMIT: 3,
    ApiKey.OFFSET_FETCH: 3,
}
PROFILES = pytest.mark.parametrize("versions", [OLDEST, AIOKAFKA, NEWEST], ids=["oldest", "aiokafka", "newest"])


class Client:
    """Sends requests as a connection would: encoded, decoded, handled, encoded, decoded."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self.context = RequestContext("127.0.0.1", "127.0.0.7", lambda: None, None)  # type: ignore[arg-type]

    def ask(self, api_key: ApiKey, version: int, **values: Any) -> Any:
        request = build(codec.request_type(api_key), **values)
        received = codec.decode_request(api_key, version, memoryview(codec.encode_request(api_key, version, request)))
        self.context.header = RequestHeader(api_key, version, 1, "tester", 0)
        try:
            response = HANDLERS[api_key](self.broker, received, self.context)
        except KfastError as error:
            response = codec.error_response(api_key, received, error.error_code)
        return codec.decode_response(api_key, version, memoryview(codec.encode_response(api_key, version, response)))

    def join(self, version: int, member_id: str = "", **values: Any) -> Any:
        protocol = item_type(codec.request_type(ApiKey.JOIN_GROUP), "protocols")
        fields = {
            "group_id": "g",
            "session_timeout": datetime.timedelta(seconds=10),
            "rebalance_timeout": datetime.timedelta(seconds=60),
            "member_id": member_id,
            "protocol_type": "consumer",
            "protocols": (build(protocol, name="range", metadata=b"subscription"),),
            **values,
        }
        return self.ask(ApiKey.JOIN_GROUP, version, **fields)

    def sync(self, version: int, member_id: str, **values: Any) -> Any:
        assignment = item_type(codec.request_type(ApiKey.SYNC_GROUP), "assignments")
        fields = {
            "group_id": "g",
            "generation_id": 1,
            "member_id": member_id,
            "assignments": (build(assignment, member_id=member_id, assignment=b"mine"),),
            **values,
        }
        return self.ask(ApiKey.SYNC_GROUP, version, **fields)

    def member(self, versions: dict[ApiKey, int]) -> str:
        """Join group g alone and be assigned."""
        version = versions[ApiKey.JOIN_GROUP]
        joined = self.join(version)
        if joined.error_code == 79:
            joined = self.join(version, joined.member_id)
        assert joined.error_code == 0
        assert self.sync(versions[ApiKey.SYNC_GROUP], joined.member_id).error_code == 0
        return str(joined.member_id)

    def commit(self, version: int, *partitions: tuple[str, int, int], metadata: str = "", **values: Any) -> list[int]:
        """Commit (topic, partition, offset) each; returns an error code each."""
        topic_type = item_type(codec.request_type(ApiKey.OFFSET_COMMIT), "topics")
        partition_type = item_type(topic_type, "partitions")
        topics = tuple(
            build(
                topic_type,
                name=name,
                partitions=(
                    build(
                        partition_type,
                        partition_index=partition,
                        committed_offset=offset,
                        committed_metadata=metadata,
                    ),
                ),
            )
            for name, partition, offset in partitions
        )
        answer = self.ask(ApiKey.OFFSET_COMMIT, version, **{"group_id": "g", "topics": topics, **values})
        return [partition.error_code for topic in answer.topics for partition in topic.partitions]

    def fetch(self, version: int, *wanted: tuple[str, tuple[int, ...]] | None, group_id: str = "g") -> dict[Any, Any]:
        """(offset, metadata) by (topic, partition); of all partitions for None."""
        group_type = item_type(codec.request_type(ApiKey.OFFSET_FETCH), "groups")
        topic_type = item_type(group_type, "topics")
        topics = tuple(
            build(topic_type, name=name, partition_indexes=indexes) for name, indexes in filter(None, wanted)
        )
        group = build(group_type, group_id=group_id, topics=None if wanted == (None,) else topics)
        answer = self.ask(ApiKey.OFFSET_FETCH, version, groups=(group,))
        return offsets_of(answer.groups[0])


def offsets_of(group: Any) -> dict[Any, Any]:
    return {
        (topic.name, partition.partition_index): (partition.committed_offset, partition.metadata)
        for topic in group.topics
        for partition in topic.partitions
    }


@pytest.fixture
def client(open_parts) -> Iterator[Client]:
    """A client of a broker with topic `orders` of two partitions; the first rebalance waits for nobody."""
    parts = open_parts(offsets_topic_num_partitions=4, group_initial_rebalance_delay_ms=0)
    parts.metadata.create_topic("orders", 2)
    broker = SimpleNamespace(**vars(parts), port=9092, groups=GroupCoordinator(parts))
    yield Client(broker)
    broker.groups.shutdown()


@pytest.mark.parametrize(
    ("version", "key_type"), [(0, 0), *((version, kind) for version in range(1, 7) for kind in (0, 1))]
)
def test_the_coordinator_is_where_the_client_already_is(client: Client, version: int, key_type: int) -> None:
    answer = client.ask(ApiKey.FIND_COORDINATOR, version, key_type=key_type, coordinator_keys=("g",))
    [found] = answer.coordinators
    assert (found.error_code, found.node_id, found.host, found.port) == (0, 1, "127.0.0.7", 9092)
    assert found.key == ("g" if version >= 4 else "")


def test_several_coordinators_are_found_at_once(client: Client) -> None:
    answer = client.ask(ApiKey.FIND_COORDINATOR, 6, coordinator_keys=("a", "b"))
    assert [found.key for found in answer.coordinators] == ["a", "b"]


def test_a_coordinator_of_another_kind_is_not_found(client: Client) -> None:
    [found] = client.ask(ApiKey.FIND_COORDINATOR, 6, key_type=2, coordinator_keys=("share",)).coordinators
    assert (found.error_code, found.node_id) == (42, -1)


@PROFILES
def test_the_life_of_a_member(client: Client, versions: dict[ApiKey, int]) -> None:
    member_id = client.member(versions)
    assert member_id.startswith("tester-")
    heartbeat = {"group_id": "g", "generation_id": 1, "member_id": member_id}
    assert client.ask(ApiKey.HEARTBEAT, versions[ApiKey.HEARTBEAT], **heartbeat).error_code == 0

    member = {"generation_id_or_member_epoch": 1, "member_id": member_id}
    version = versions[ApiKey.OFFSET_COMMIT]
    assert client.commit(version, ("orders", 0, 5), ("orders", 1, 6), metadata="m", **member) == [0, 0]
    fetched = client.fetch(versions[ApiKey.OFFSET_FETCH], ("orders", (0, 1)), ("other", (0,)))
    assert fetched == {("orders", 0): (5, "m"), ("orders", 1): (6, "m"), ("other", 0): (-1, "")}

    assert leave(client, versions[ApiKey.LEAVE_GROUP], member_id) == 0
    assert leave(client, versions[ApiKey.LEAVE_GROUP], member_id) == 25
    assert client.ask(ApiKey.HEARTBEAT, versions[ApiKey.HEARTBEAT], **heartbeat).error_code == 25


def leave(client: Client, version: int, member_id: str) -> int:
    """The error of the one member, which versions before 3 put at the top."""
    member = item_type(codec.request_type(ApiKey.LEAVE_GROUP), "members")
    answer = client.ask(ApiKey.LEAVE_GROUP, version, group_id="g", members=(build(member, member_id=member_id),))
    return answer.members[0].error_code if version >= 3 else answer.error_code


@pytest.mark.parametrize("version", range(10))
def test_an_id_is_handed_out_first_from_version_4_on(client: Client, version: int) -> None:
    joined = client.join(version)
    assert joined.error_code == (79 if version >= 4 else 0)
    assert joined.member_id
    assert joined.generation_id == (-1 if version >= 4 else 1)


@pytest.mark.parametrize("version", range(10))
def test_the_leader_is_told_the_members_and_who_it_is(client: Client, version: int) -> None:
    joined = client.join(version, client.join(version).member_id if version >= 4 else "")
    assert (joined.leader, joined.protocol_name, joined.generation_id) == (joined.member_id, "range", 1)
    assert [(member.member_id, member.metadata) for member in joined.members] == [(joined.member_id, b"subscription")]
    assert joined.protocol_type == ("consumer" if version >= 7 else None)


def test_a_refused_join_names_its_member_again(client: Client) -> None:
    for version in (0, 9):
        unknown = client.join(version, "nobody")
        assert (unknown.error_code, unknown.member_id, unknown.members) == (25, "nobody", ())
        assert client.join(version, session_timeout=datetime.timedelta(seconds=5)).error_code == 26
        assert client.join(version, group_id="").error_code == 24
        assert client.join(version, protocols=()).error_code == 23


def test_names_that_no_record_could_hold_are_refused(client: Client) -> None:
    """A compact string may be longer than an int16 says, as records of groups and old versions do."""
    long = "x" * 40_000
    assert client.join(9, group_id=long).error_code == 24
    assert client.join(9, protocol_type=long).error_code == 42
    assert client.join(9, group_instance_id=long).error_code == 42
    assert client.ask(ApiKey.LIST_GROUPS, 0).groups == ()


def test_version_0_has_one_timeout_for_both(client: Client) -> None:
    client.join(0, session_timeout=datetime.timedelta(seconds=7))
    [member] = client.broker.groups.describe("g").metadata.members
    assert (member.session_timeout_ms, member.rebalance_timeout_ms) == (7000, 7000)


def test_a_restarted_static_leader_is_told_to_skip_the_assignment_from_version_9_on(client: Client) -> None:
    first = client.join(9, group_instance_id="static")
    assert first.member_id.startswith("static-")
    client.sync(5, first.member_id, group_instance_id="static")
    again = client.join(9, group_instance_id="static")
    assert (again.error_code, again.skip_assignment, again.leader) == (0, True, again.member_id)
    old = client.join(8, group_instance_id="static")
    assert (old.error_code, old.skip_assignment, old.leader) == (0, False, again.member_id)
    fenced = client.ask(
        ApiKey.HEARTBEAT, 4, group_id="g", generation_id=1, member_id=first.member_id, group_instance_id="static"
    )
    assert fenced.error_code == 82


def test_members_leave_in_one_request_each_with_its_own_answer(client: Client) -> None:
    joined = client.join(9, group_instance_id="static")
    client.sync(5, joined.member_id)
    member = item_type(codec.request_type(ApiKey.LEAVE_GROUP), "members")
    members = (
        build(member, member_id="nobody"),
        build(member, member_id="old", group_instance_id="static"),
        build(member, member_id="", group_instance_id="static"),
    )
    answer = client.ask(ApiKey.LEAVE_GROUP, 5, group_id="g", members=members)
    assert answer.error_code == 0
    assert [(m.member_id, m.group_instance_id, m.error_code) for m in answer.members] == [
        ("nobody", None, 25),
        ("old", "static", 82),
        ("", "static", 0),
    ]


def test_a_sync_in_the_wrong_generation_or_protocol_is_refused(client: Client) -> None:
    member_id = client.member(NEWEST)
    assert client.sync(5, member_id, generation_id=9).error_code == 22
    assert client.sync(5, member_id, protocol_type="connect").error_code == 23
    assert client.sync(5, member_id, protocol_type="consumer", protocol_name="range").assignment == b"mine"


# Offsets


def test_each_commit_has_its_own_answer(client: Client) -> None:
    codes = client.commit(9, ("orders", 0, 1), ("orders", 2, 1), ("nothing", 0, 1))
    assert codes == [0, 3, 3]
    assert client.fetch(9, None) == {("orders", 0): (1, "")}


def test_metadata_are_limited(client: Client) -> None:
    assert client.commit(9, ("orders", 0, 1), metadata="x" * 4097) == [12]
    assert client.commit(9, ("orders", 0, 1), metadata="x" * 4096) == [0]


def test_null_metadata_are_empty(client: Client) -> None:
    assert client.commit(9, ("orders", 0, 1), metadata=None) == [0]  # type: ignore[arg-type]
    assert client.fetch(9, None) == {("orders", 0): (1, "")}


def test_who_is_no_member_commits_to_empty_groups_alone(client: Client) -> None:
    assert client.commit(9, ("orders", 0, 1)) == [0]
    member_id = client.member(NEWEST)
    assert client.commit(9, ("orders", 0, 2)) == [25]
    assert client.commit(9, ("orders", 0, 2), generation_id_or_member_epoch=7, member_id=member_id) == [22]
    assert client.commit(9, ("orders", 0, 2), group_id="new", generation_id_or_member_epoch=7) == [22]
    assert client.fetch(9, None) == {("orders", 0): (1, "")}


@pytest.mark.parametrize("version", range(2, 10))
def test_no_topics_are_all_that_was_committed(client: Client, version: int) -> None:
    client.commit(9, ("orders", 1, 11), ("orders", 0, 10), metadata="m")
    assert client.fetch(version, None) == {("orders", 0): (10, "m"), ("orders", 1): (11, "m")}
    assert client.fetch(version, None, group_id="unknown") == {}
    assert client.fetch(version) == {}


def test_several_groups_are_fetched_at_once(client: Client) -> None:
    client.commit(9, ("orders", 0, 1))
    client.commit(9, ("orders", 0, 2), group_id="h")
    group_type = item_type(codec.request_type(ApiKey.OFFSET_FETCH), "groups")
    groups_asked = tuple(build(group_type, group_id=group_id, topics=None) for group_id in ("h", "g"))
    answer = client.ask(ApiKey.OFFSET_FETCH, 9, groups=groups_asked)
    assert [(group.group_id, offsets_of(group)) for group in answer.groups] == [
        ("h", {("orders", 0): (2, "")}),
        ("g", {("orders", 0): (1, "")}),
    ]


def test_a_group_is_answered_once_however_often_it_is_named(client: Client) -> None:
    group_type = item_type(codec.request_type(ApiKey.OFFSET_FETCH), "groups")
    group = build(group_type, group_id="g", topics=None)
    assert len(client.ask(ApiKey.OFFSET_FETCH, 9, groups=(group,) * 1000).groups) == 1
    assert len(client.ask(ApiKey.DESCRIBE_GROUPS, 6, groups=("g",) * 1000).groups) == 1


def test_a_deleted_topic_takes_its_offsets_with_it(client: Client) -> None:
    client.commit(9, ("orders", 0, 1))
    topic = item_type(codec.request_type(ApiKey.DELETE_TOPICS), "topics")
    assert client.ask(ApiKey.DELETE_TOPICS, 6, topics=(build(topic, name="orders"),)).responses[0].error_code == 0
    assert client.fetch(9, None) == {}


# Administrators


@PROFILES
def test_a_group_is_described(client: Client, versions: dict[ApiKey, int]) -> None:
    member_id = client.member(versions)
    answer = client.ask(ApiKey.DESCRIBE_GROUPS, versions[ApiKey.DESCRIBE_GROUPS], groups=("g",))
    [group] = answer.groups
    assert (group.error_code, group.group_id, group.group_state) == (0, "g", "Stable")
    assert (group.protocol_type, group.protocol_data) == ("consumer", "range")
    [member] = group.members
    assert (member.member_id, member.client_id, member.client_host) == (member_id, "tester", "/127.0.0.1")
    assert (member.member_metadata, member.member_assignment) == (b"subscription", b"mine")


@pytest.mark.parametrize(("version", "error_code"), [(0, 0), (5, 0), (6, 69)])
def test_a_group_that_does_not_exist_is_dead(client: Client, version: int, error_code: int) -> None:
    [group] = client.ask(ApiKey.DESCRIBE_GROUPS, version, groups=("none",)).groups
    assert (group.error_code, group.group_state, group.members) == (error_code, "Dead", ())


def test_a_group_in_a_rebalance_is_described_without_protocol(client: Client) -> None:
    client.join(3)
    [group] = client.ask(ApiKey.DESCRIBE_GROUPS, 6, groups=("g",)).groups
    assert (group.group_state, group.protocol_data) == ("CompletingRebalance", "")
    assert [member.member_metadata for member in group.members] == [b""]


@PROFILES
def test_groups_are_listed(client: Client, versions: dict[ApiKey, int]) -> None:
    client.member(versions)
    client.commit(9, ("orders", 0, 1), group_id="simple")
    answer = client.ask(ApiKey.LIST_GROUPS, versions[ApiKey.LIST_GROUPS])
    assert answer.error_code == 0
    assert sorted((group.group_id, group.protocol_type) for group in answer.groups) == [
        ("g", "consumer"),
        ("simple", ""),
    ]


@pytest.mark.parametrize(
    ("states", "types", "expected"),
    [
        (("stable",), (), ["g"]),
        (("Empty", "Dead"), (), ["simple"]),
        ((), ("Classic",), ["g", "simple"]),
        ((), ("consumer",), []),
    ],
)
def test_listed_groups_are_filtered(client: Client, states: Any, types: Any, expected: list[str]) -> None:
    client.member(NEWEST)
    client.commit(9, ("orders", 0, 1), group_id="simple")
    answer = client.ask(ApiKey.LIST_GROUPS, 5, states_filter=states, types_filter=types)
    assert sorted(group.group_id for group in answer.groups) == expected
    assert {group.group_type for group in answer.groups} <= {"classic"}

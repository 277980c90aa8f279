"""The server.properties by which Apache Kafka, one node of it, starts on a log directory.

The six settings Kafka does not start without, and those that a cluster of one needs for groups, transactions and share
groups, as Kafka would make their topics with three replicas. What is set dynamically lies in the directory itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kfast.broker.quorum import Quorum
from kfast.errors import LogDirectoryError

_CONTROLLER = "CONTROLLER"

# Topics that Kafka makes itself: one node can have one replica of each.
_ONE_REPLICA = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


def server_properties(
    directory: Path, node_id: int, quorum: Quorum, listener: str, controller: str, config: Mapping[str, str]
) -> dict[str, str]:
    """Names and values, in the order of a file. `config` is kfast's; what Kafka does not know of it is left out.

    `listener` is PLAINTEXT://host:port or SSL://host:port, `controller` host:port. Raises LogDirectoryError for a path
    that cannot stand in log.dirs.
    """
    path = str(directory.absolute())
    if "," in path:
        raise LogDirectoryError(f"{path}: log.dirs takes a comma for the end of a path; move the directory")
    name = listener.partition("://")[0]
    voters = {"controller.quorum.voters": f"{node_id}@{controller}"}
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        **({"controller.quorum.bootstrap.servers": controller} if quorum.is_dynamic else voters),
        "controller.listener.names": _CONTROLLER,
        "listeners": f"{listener},{_CONTROLLER}://{controller}",
        **({"inter.broker.listener.name": name} if name != "PLAINTEXT" else {}),
        "listener.security.protocol.map": f"{_CONTROLLER}:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL",
        "log.dirs": path,
        **_ONE_REPLICA,
        **{key: value for key, value in config.items() if not key.startswith("kfast.") and key != "node.id"},
    }


def to_text(settings: Mapping[str, str]) -> str:
    """The lines of a file, as java.util.Properties reads them."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    """Java reads such files as ISO-8859-1, a backslash as the start of an escape, and leaves out spaces in front."""
    text = value.replace("\\", "\\\\").replace("\n", "\\n")
    units = text.encode("utf-16-be")
    pairs = (int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2))
    escaped = "".join(chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}" for unit in pairs)
    return "\\" + escaped if escaped.startswith(" ") else escaped

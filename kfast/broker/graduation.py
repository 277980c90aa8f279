"""From kfast to Apache Kafka: a directory is checked, and told how Kafka starts on it. See `kfast graduate`.

Nothing is converted, as there is nothing to convert: the directory is Kafka's. What kfast can add is the settings that
fit it (which node it is, how its quorum is named) and the certainty that Kafka will find in it all that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kfast.broker.broker import parse_listen
from kfast.broker.config import BrokerConfig
from kfast.broker.config_keys import BROKER_KEYS
from kfast.broker.directory_check import DirectoryCheck, Progress, check_directory
from kfast.broker.server_properties import server_properties, to_text
from kfast.errors import LogDirectoryError
from kfast.record.metadata_records import BROKER_RESOURCE

DEFAULT_FILE = "server.properties"


@dataclass(frozen=True, slots=True)
class Graduation:
    """A directory that Kafka can take, and the settings to start it with."""

    check: DirectoryCheck
    settings: Mapping[str, str]

    def text(self, file: str = DEFAULT_FILE) -> str:
        """The whole server.properties, with the command and what is good to know as comments."""
        return "".join(f"# {line}\n" for line in self._comments(file)) + to_text(self.settings)

    def _comments(self, file: str) -> Iterator[str]:
        summary, image = self.check.summary, self.check.metadata.image
        counts = (
            f"{summary['segments']} segments, {summary['batches']} batches, {summary['size_bytes']} bytes of records"
        )
        partitions = sum(len(topic.partitions) for topic in image.topics.values())
        yield "For Apache Kafka 4.0 or later, on a directory that kfast has checked:"
        yield f"{len(image.topics)} topics, {partitions} partitions and the metadata log: {counts}; nothing is wrong."
        yield from self.check.notes
        for (resource_type, name), configs in image.configs.items():
            if resource_type == BROKER_RESOURCE:
                whose = f"of broker {name}" if name else "of all brokers"
                shown = ", ".join(_shown(key, value) for key, value in configs.items())
                yield f"In the directory, as dynamic settings {whose}: {shown}"
        yield f"Start it with: bin/kafka-server-start.sh {file}"


def graduate(
    directory: str | Path,
    listen: str = "127.0.0.1:9092",
    controller_listen: str = "127.0.0.1:9093",
    config: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Graduation:
    """Check a stopped broker's directory and find the settings for Kafka. Changes nothing.

    `config` is what kfast was started with; `progress` is told how far the check is.
    Raises LogDirectoryError, with all that was found, for a directory that Kafka would not take as it is,
    InvalidConfigError for a setting, ValueError for an address.
    """
    BrokerConfig(config)
    listener, controller = parse_listen(listen), parse_listen(controller_listen)
    check = check_directory(Path(directory), progress)
    if check.findings:
        lines = [f"{directory} is not for Kafka yet:", *(f"  {finding}" for finding in check.findings)]
        if check.is_served:
            lines.append(f"kfast serve --data-dir {directory}, stopped again, puts right what a crash has left")
        raise LogDirectoryError("\n".join(lines))
    settings = server_properties(
        Path(directory),
        check.properties.node_id,
        check.metadata.quorum,
        f"{listener.security_protocol}://{_address(listener.host, listener.port)}",
        _address(controller.host, controller.port),
        config or {},
    )
    return Graduation(check, settings)


def _shown(key: str, value: str) -> str:
    """What may be a secret is not: a comment gets around."""
    return f"{key}={value}" if key in BROKER_KEYS and not BROKER_KEYS[key].is_sensitive else key


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""Who votes on the metadata: of a cluster that kfast can serve, this one node.

A dynamic quorum (KIP-853, kraft.version 1) names its voters in the metadata log and carries them from snapshot to
snapshot; of a static one the server's settings name them, and the log holds only what each new leader says of them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kfast.log.checkpoints import MetaProperties, write_atomically
from kfast.record.control_records import ControlRecord, KRaftVersion, KRaftVoters, Voter, VoterEndpoint
from kfast.record.metadata_records import uuid_to_text

QUORUM_STATE = "quorum-state"

_NO_DIRECTORY = uuid.UUID(int=0)

# Where Kafka's shipped settings put the controller. With one voter the address may be any (tried with Kafka 4.1).
_CONTROLLER = VoterEndpoint("CONTROLLER", "127.0.0.1", 9093)


@dataclass(frozen=True, slots=True)
class Quorum:
    """`version` 1 is dynamic. `static_voter_ids` are those a leader named when it took over; none before the first."""

    version: int = 0
    voters: tuple[Voter, ...] = ()
    static_voter_ids: tuple[int, ...] = ()

    @classmethod
    def of_one(cls, properties: MetaProperties) -> Self:
        """The quorum of a new directory: dynamic, as then Kafka boots by either kind of settings."""
        if properties.directory_id is None:
            return cls()
        return cls(1, (Voter(properties.node_id, properties.directory_id, (_CONTROLLER,)),))

    @property
    def is_dynamic(self) -> bool:
        return self.version >= 1

    @property
    def voter_ids(self) -> tuple[int, ...]:
        """Empty where nobody has said yet."""
        return tuple(voter.voter_id for voter in self.voters) if self.is_dynamic else self.static_voter_ids

    def control_records(self) -> Iterator[ControlRecord]:
        """What a snapshot says of it, after its header."""
        if self.is_dynamic:
            yield KRaftVersion(self.version)
            yield KRaftVoters(self.voters)


def write_state(metadata_directory: Path, leader_epoch: int) -> None:
    """Write the `quorum-state` of a dynamic quorum that has come to `leader_epoch`: without one Kafka warns."""
    state = {
        "leaderId": -1,
        "leaderEpoch": leader_epoch,
        "votedId": -1,
        "votedDirectoryId": uuid_to_text(_NO_DIRECTORY),
        "data_version": 1,
    }
    write_atomically(metadata_directory / QUORUM_STATE, json.dumps(state, separators=(",", ":")))


def voters_of_state(metadata_directory: Path) -> tuple[int, ...]:
    """The voters that a static quorum's `quorum-state` names; none where it names none, or is not there."""
    try:
        state = json.loads((metadata_directory / QUORUM_STATE).read_text())
        return tuple(voter["voterId"] for voter in state.get("currentVoters") or ())
    except (FileNotFoundError, ValueError, AttributeError, TypeError, KeyError):
        return ()  # Kafka makes the file anew

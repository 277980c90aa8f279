"""Who votes: as a new directory says, as the log says, as quorum-state says."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.quorum import Quorum, voters_of_state, write_state
from kfast.log.checkpoints import MetaProperties


def test_a_new_quorum_is_of_this_node_alone() -> None:
    directory_id = uuid.UUID(int=1234)
    quorum = Quorum.of_one(MetaProperties("cluster", 4, directory_id))
    assert (quorum.is_dynamic, quorum.voter_ids) == (True, (4,))
    assert quorum.voters[0].directory_id == directory_id


def test_without_a_directory_id_there_can_be_no_dynamic_one() -> None:
    quorum = Quorum.of_one(MetaProperties("cluster", 4))
    assert (quorum.is_dynamic, quorum.voter_ids, list(quorum.control_records())) == (False, (), [])


def test_the_state_of_a_new_one_is_as_kafka_writes_it(tmp_path: Path) -> None:
    write_state(tmp_path, 1)
    assert (tmp_path / "quorum-state").read_text() == (
        '{"leaderId":-1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}'
    )
    assert voters_of_state(tmp_path) == ()


def test_kafkas_state_of_a_static_one_names_its_voters(golden: Any) -> None:
    assert voters_of_state(golden("12-kraft") / "log" / "__cluster_metadata-0") == (1,)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"currentVoters": null}', '{"currentVoters": [1]}'])
def test_a_state_that_says_nothing_names_nobody(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "quorum-state").write_text(text)
    assert voters_of_state(tmp_path) == ()

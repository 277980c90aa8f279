"""The marker of a clean stop: Kafka's bytes, there until the first write."""

from __future__ import annotations

from pathlib import Path

from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE, CleanShutdownFile


def test_it_is_there_from_a_clean_stop_to_the_next_write(tmp_path: Path) -> None:
    marker = CleanShutdownFile(tmp_path)
    assert not marker.was_there
    marker.write()
    assert (tmp_path / CLEAN_SHUTDOWN_FILE).read_text() == '{"version":0,"brokerEpoch":-1}'
    found = CleanShutdownFile(tmp_path)
    assert found.was_there
    found.remove()
    found.remove()
    assert not (tmp_path / CLEAN_SHUTDOWN_FILE).exists()
    assert found.was_there

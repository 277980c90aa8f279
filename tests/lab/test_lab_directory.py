import os

import pytest

from kfast.errors import KafkaStorageError
from kfast.lab import lab_directory
from kfast.lab.lab_directory import MAX_SIZE_BYTES, PREFIX, LabDirectory, lab_parent
from kfast.lab.mounts import Mount


def test_it_is_there_while_it_is_used_and_gone_afterwards(tmp_path):
    with LabDirectory(tmp_path) as directory:
        (directory.path / "data").write_bytes(b"x")
        assert directory.path.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_it_is_capped_at_two_gib_and_a_tenth_of_the_free_space(tmp_path, monkeypatch):
    free = 1 << 30
    monkeypatch.setattr(lab_directory.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free}))
    with LabDirectory(tmp_path) as directory:
        assert directory.limit_bytes == (1 << 30) // 10
        directory.ensure_fits(directory.limit_bytes)
        with pytest.raises(KafkaStorageError, match=f"{directory.limit_bytes + 1} bytes of lab data are more than"):
            directory.ensure_fits(directory.limit_bytes + 1)
        free = 1 << 60
    with LabDirectory(tmp_path) as directory:
        assert directory.limit_bytes == MAX_SIZE_BYTES


def test_a_data_file_has_the_size_asked_for_and_must_fit(tmp_path):
    with LabDirectory(tmp_path) as directory:
        path = directory.data_file((1 << 20) + 5)
        assert path.stat().st_size == (1 << 20) + 5
        assert path.read_bytes()[:5] == path.read_bytes()[-5:]
        directory.limit_bytes = 9
        with pytest.raises(KafkaStorageError, match="10 bytes of lab data"):
            directory.data_file(10)


def test_those_of_processes_that_were_killed_are_removed_when_the_next_is_made(tmp_path):
    stale, new, foreign = tmp_path / f"{PREFIX}stale", tmp_path / f"{PREFIX}new", tmp_path / "results"
    for path in (stale, new, foreign):
        path.mkdir()
        (path / "data").write_bytes(b"x")
    with LabDirectory(tmp_path) as held:
        for path in (stale, foreign, held.path):
            os.utime(path, (0, 0))
        with LabDirectory(tmp_path) as other:
            assert set(tmp_path.iterdir()) == {held.path, other.path, new, foreign}


def test_where_temporary_files_are_held_in_memory_the_cache_folder_is_taken(tmp_path, monkeypatch):
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    monkeypatch.setattr(lab_directory.tempfile, "gettempdir", lambda: str(memory))
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    monkeypatch.setattr(
        lab_directory, "mount_of", lambda path: Mount("/", "tmpfs" if path == memory else "ext4", "none")
    )
    assert lab_parent() == disk / "kfast"
    assert (disk / "kfast").is_dir()


def test_where_everything_is_held_in_memory_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(lab_directory, "mount_of", lambda path: Mount("/", "tmpfs", "none"))
    with pytest.raises(KafkaStorageError, match="set TMPDIR to a folder on a disk"):
        lab_parent()

import os
from pathlib import Path

import pytest

from kfast.file_slice import FileSlice, OpenFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(b"0123456789")
    return path


def test_a_slice_has_a_length_and_reads_its_range(path: Path) -> None:
    file_slice = FileSlice(OpenFile(path), 2, 5)
    assert len(file_slice) == 5
    assert file_slice.read() == b"23456"


def test_a_slice_outlives_the_name_of_its_file(path: Path) -> None:
    file_slice = FileSlice(OpenFile(path), 0, 10)
    path.unlink()
    assert file_slice.read() == b"0123456789"


def test_the_descriptor_closes_with_the_last_reference(path: Path) -> None:
    file = OpenFile(path)
    fd = file.fd
    file_slice = FileSlice(file, 0, 10)
    del file
    assert os.fstat(fd).st_size == 10
    del file_slice
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_missing_file_says_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        OpenFile(tmp_path / "nothing")


def test_repr_names_the_range(path: Path) -> None:
    assert repr(FileSlice(OpenFile(path), 2, 5)) == "FileSlice('00000000000000000000.log', position=2, size=5)"

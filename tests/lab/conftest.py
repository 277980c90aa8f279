"""A directory on a file system with a disk under it: residency and device counters mean nothing elsewhere."""

import pytest

from kfast.lab.lab_directory import LabDirectory


@pytest.fixture
def disk_directory():
    with LabDirectory() as directory:
        yield directory.path

import subprocess
import sys

import pytest

from kfast.record.checksum import crc32c


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_castagnoli_check_value(kind: type) -> None:
    assert crc32c(kind(b"123456789")) == 0xE3069283  # the catalogue's check value of CRC-32/ISCSI


def test_nothing_costly_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, kfast.record.builder, kfast.record.batches\n"
        "from kfast.record import metadata_records, group_records, control_records\n"
        "print(sorted({'crc32c', 'cramjam', 'importlib.metadata'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

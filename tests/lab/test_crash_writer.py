import pytest

from kfast.child_process import ChildError
from kfast.lab.crash_writer import CONFIG, batches_of_killed_writer
from kfast.log.log import Log

BATCH_SIZE = 64 << 10


def test_what_a_killed_writer_acknowledged_is_in_its_log(tmp_path):
    acknowledged = batches_of_killed_writer(tmp_path, BATCH_SIZE, 5)
    assert acknowledged >= 5
    log = Log.open(tmp_path, CONFIG)
    assert acknowledged <= log.log_end_offset <= acknowledged + 1  # one more may be there, of which nobody was told
    log.close()


def test_a_writer_that_ends_by_itself_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ChildError, match="ended with status 1 before it was killed"):
        batches_of_killed_writer(tmp_path / "file", BATCH_SIZE, 5)

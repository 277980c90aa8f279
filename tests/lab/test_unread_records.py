import pytest

from kfast.errors import CorruptRecordError
from kfast.lab.unread_records import header_is_all_it_checks, noise_batch, what_kfast_says_to_noise
from kfast.record.batch import RecordBatch


def test_noise_is_taken_where_its_checksum_is_right_unless_records_are_looked_at():
    answers = what_kfast_says_to_noise()
    assert header_is_all_it_checks(answers)
    assert "CRC" in answers["noise with the checksum of records"]
    assert answers["noise with its own checksum"] == "taken"
    assert answers["the same, to a compacted topic"].startswith("refused: ")
    assert answers["the same, with kfast.validate.records"].startswith("refused: ")


def test_a_broker_that_looked_at_records_would_be_noticed():
    assert not header_is_all_it_checks({**what_kfast_says_to_noise(), "noise with its own checksum": "refused: x"})


def test_the_consumer_notices():
    batch = RecordBatch(noise_batch(is_sealed=True))
    assert batch.is_valid()
    with pytest.raises(CorruptRecordError):
        list(batch.records())

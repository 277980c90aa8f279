from kfast.lab.broker_copies import RECORD_COUNT, RECORD_SIZE, DirectionCopies, broker_copies


def test_what_is_produced_is_copied_and_what_sendfile_fetches_is_not():
    produced, by_read_send, by_sendfile = broker_copies()
    assert produced.payload_bytes > RECORD_COUNT * RECORD_SIZE
    assert produced.copies >= 2
    assert by_read_send.copies == 2
    assert (by_sendfile.copies, by_sendfile.copied_bytes) == (0, 0)
    assert by_sendfile.payload_bytes >= produced.payload_bytes


def test_a_direction_reads_in_a_line():
    line = str(DirectionCopies("fetched, read+send", 1 << 20, 2 << 20))
    assert "1 MiB of batches" in line
    assert line.endswith("2.0 copies of each byte")

from kfast.transfer.counters import TransferCounters


def test_counters_add_up_by_mode():
    first = TransferCounters({"sendfile": 10, "splice": 1}, inline_bytes=2, cpu_copied_bytes=3, syscalls=4)
    second = TransferCounters({"sendfile": 5, "read_send": 7}, inline_bytes=20, cpu_copied_bytes=14, syscalls=40)
    assert first + second == TransferCounters(
        {"sendfile": 15, "splice": 1, "read_send": 7}, inline_bytes=22, cpu_copied_bytes=17, syscalls=44
    )


def test_none_is_neutral():
    counters = TransferCounters({"sendfile": 10}, 1, 2, 3)
    assert sum([counters], TransferCounters()) == counters

from kfast.lab.usage import Usage, UsageInterval


def test_an_interval_is_the_difference_and_survives_json():
    start = Usage(user_s=0.0, system_s=0.0, voluntary_switches=0, involuntary_switches=0, page_faults=0, monotonic_ns=5)
    used = UsageInterval.since(start)
    assert used.cpu_s == used.user_s + used.system_s > 0
    assert used.start_ns == 5
    assert used.elapsed_s == (used.end_ns - 5) / 1e9
    assert UsageInterval.from_json(used.to_json()) == used


def test_usage_only_grows():
    first = Usage.now()
    sum(range(10_000))
    second = Usage.now()
    assert second.user_s + second.system_s >= first.user_s + first.system_s
    assert second.monotonic_ns > first.monotonic_ns

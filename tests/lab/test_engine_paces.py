"""Structure; speeds are not tested."""

from kfast.lab.engine_paces import RECOVERY_BATCH_SIZES, measure_paces


def test_each_pace_is_measured():
    paces = measure_paces(share=1 / 256)
    assert paces.segment_size == 4 << 20
    assert 0 < paces.lookup_us < 1e6
    assert [pace.batch_size for pace in paces.recoveries] == list(RECOVERY_BATCH_SIZES)
    assert all(pace.bytes_per_s > 0 and pace.bare_bytes_per_s > 0 for pace in paces.recoveries)
    assert paces.compaction_bytes_per_s > 0

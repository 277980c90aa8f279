import pytest

from kfast.lab.experiments import EXPERIMENTS
from kfast.lab.published import IBM_TABLE_MB_MS, PUBLISHED, published_of


def test_ibms_table_says_57_percent_where_its_text_says_65():
    gains = [1 - zero / copying for _, copying, zero in IBM_TABLE_MB_MS]
    assert sum(gains) / len(gains) == pytest.approx(0.57, abs=0.005)
    assert (min(gains), max(gains)) == (pytest.approx(0.46, abs=0.005), pytest.approx(0.71, abs=0.005))


def test_every_number_names_its_source_and_what_it_was_measured_on():
    for one in PUBLISHED:
        assert one.ratio > 1, one.words
        assert all((one.source, one.measured_on, one.confounded_by)), one.words
        assert one.source in str(one)


def test_numbers_are_found_by_experiment():
    assert [round(one.ratio) for one in published_of("E6")] == [8]
    assert published_of("E0") == []
    assert "E6" in EXPERIMENTS

from kfast.lab.experiments import EXPERIMENTS
from kfast.lab.published import (
    IBM_TABLE_MB_MS,
    LINKEDIN_RECORDS_PER_S,
    PUBLISHED,
    REPORTED,
    ibm_sentence,
    published_of,
)


def test_ibms_table_says_57_percent_where_its_text_says_65():
    assert ibm_sentence() == (
        "The article says that transferTo saves approximately 65 percent of the time; the 8 rows of its table save "
        "46% to 71%, 57% in the mean."
    )


def test_every_number_names_its_source_and_what_it_was_measured_on():
    assert all(one.ratio > 1 for one in PUBLISHED)
    for one in (*PUBLISHED, *REPORTED):
        assert all((one.source, one.measured_on, one.confounded_by)), one.words
        assert one.source in str(one)
        assert "20" in one.source or "Apache Kafka, documentation" in one.source, "no year"


def test_the_numbers_are_those_of_their_sources():
    assert sum(copying for _, copying, _ in IBM_TABLE_MB_MS) == 40_308
    assert sum(zero for _, _, zero in IBM_TABLE_MB_MS) == 17_048
    ratios = {round(one.ratio, 2) for one in PUBLISHED}
    assert {2.4, 3.33, 1.25, 6000.0, 168_354.43, 175.0, 8.0, 10.0, 2.2, 3.59, 1.36, 1.98, 15.92} <= ratios
    mega_bytes = [round(rate * 100 / 2**20, 1) for _, rate in LINKEDIN_RECORDS_PER_S]
    assert mega_bytes == [78.3, 75.1, 40.2, 193.0, 89.7, 249.5], "as LinkedIn has them"
    assert str(REPORTED[3]).startswith("three producers, three replicas, asynchronous: 2,024,032 records/s. Kreps")
    assert {one.value for one in REPORTED} >= {2, 3, 14, 22_000, 605, 305, 38, 337, 94, 247, 90}


def test_numbers_are_found_by_experiment():
    assert [round(one.ratio) for one in published_of("E6")] == [8]
    assert published_of("E0") == []
    assert "E6" in EXPERIMENTS

from kfast.lab.experiments import EXPERIMENTS
from kfast.lab.published import PUBLISHED, ibm_sentence, published_of


def test_ibms_table_says_57_percent_where_its_text_says_65():
    assert ibm_sentence() == (
        "The article says that transferTo saves approximately 65 percent of the time; the 8 rows of its table save "
        "46% to 71%, 57% in the mean."
    )


def test_every_number_names_its_source_and_what_it_was_measured_on():
    for one in PUBLISHED:
        assert one.ratio > 1, one.words
        assert all((one.source, one.measured_on, one.confounded_by)), one.words
        assert one.source in str(one)


def test_numbers_are_found_by_experiment():
    assert [round(one.ratio) for one in published_of("E6")] == [8]
    assert published_of("E0") == []
    assert "E6" in EXPERIMENTS

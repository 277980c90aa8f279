import pytest

from kfast.lab.unavailable import Unavailable, reason_of, restored


def test_it_reads_as_what_it_is_and_counts_as_nothing():
    missing = Unavailable("no such file")
    assert str(missing) == "unavailable: no such file"
    assert not missing


def test_an_error_without_words_gives_its_name():
    assert reason_of(OSError(2, "gone")) == "[Errno 2] gone"
    assert reason_of(IndexError()) == "IndexError"


@pytest.mark.parametrize("value", [Unavailable("no counter"), 3.5, 0, "disk"])
def test_it_comes_back_from_the_words_that_json_holds(value):
    assert restored(str(value) if isinstance(value, Unavailable) else value) == value

import pytest

from kfast.lab.data_way import Traffic
from kfast.lab.reading import Reading
from kfast.viz.readout import Readout, limit_sentence, live_sentence, megabytes_text, numbers_html


def reading(**rest):
    values = {
        "elapsed_s": 2.0,
        "produced_bytes": 400_000_000,
        "consumed_bytes": 1_600_000_000,
        "moved_bytes": 2_000_000_000,
        "broker_cpu_s": 1.0,
        "cores": {"producer": 0.2, "broker": 0.5},
        "processor_count": 2,
        "limited_by": "none",
        "traffic": Traffic("sendfile"),
    }
    return Reading(**{**values, **rest})


def test_the_largest_number_is_cpu_per_gb():
    html = numbers_html(reading(), "sendfile")
    sizes = {words.split("</b>")[0].split(">")[-1]: words.split("px")[0] for words in html.split("font-size:")[1:]}
    assert sizes == {"200": "22", "800": "22", "0.50": "40"}


def test_without_traffic_there_is_no_cpu_per_gb():
    assert "0.00" not in numbers_html(reading(moved_bytes=0), "sendfile")


def test_limit_and_shares_of_processors():
    assert limit_sentence(reading(limited_by="disk")) == (
        "Limit: disk. Of 2 processors, kept busy by producer (0.20), broker (0.50)."
    )


def test_one_moment_as_a_sentence():
    assert live_sentence(reading(), "read_send") == (
        "read+send: 0.50 broker CPU seconds per GB over the last 2.0 s, at 200 MB/s produced and 800 MB/s consumed; "
        "nothing was the limit."
    )


def test_words_from_outside_are_no_html():
    readout = Readout()
    readout.show_finding("<b>0 & 1")
    assert "&lt;b&gt;0 &amp; 1" in readout.finding.value


def test_parts_have_the_classes_that_tests_in_a_browser_read():
    readout = Readout()
    for name in ("numbers", "limit", "finding", "status", "words"):
        assert f"kfast-{name}" in getattr(readout, name)._dom_classes


@pytest.mark.parametrize(("rate", "words"), [(0, "0"), (3.14e6, "3.1"), (1.234e9, "1,234")])
def test_megabytes(rate, words):
    assert megabytes_text(rate) == words

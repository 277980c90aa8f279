"""The table says what is there, what is not, and why, in HTML and in plain text."""

from __future__ import annotations

from kfast.lab.doctor import Finding
from kfast.viz.findings import FindingsTable

FINDINGS = [Finding("sendfile", True, "works here"), Finding("splice", False, "EINVAL on <this> file system")]


def test_what_is_missing_is_named_in_a_sentence():
    assert FindingsTable(FINDINGS).sentence() == "1 of 2 things are there; not there: splice."
    assert FindingsTable(FINDINGS[:1]).sentence() == "All 1 things are there."


def test_html_is_escaped_and_has_a_row_a_finding():
    html = FindingsTable(FINDINGS)._repr_html_()
    assert html.count('<th scope="row"') == 2
    assert "EINVAL on &lt;this&gt; file system" in html
    assert ">1 of 2 things are there; not there: splice.</caption>" in html


def test_plain_text_is_aligned():
    lines = str(FindingsTable(FINDINGS)).splitlines()
    assert lines[0] == "yes sendfile  works here"
    assert lines[1] == "no  splice    EINVAL on <this> file system"

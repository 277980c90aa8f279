"""The doctor finds what is there, and says why something is not."""

from __future__ import annotations

import importlib.metadata

from kfast.lab import doctor
from kfast.transfer.modes import COPY_MODES


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_everything_that_is_looked_for_has_a_finding_with_a_word_on_it():
    findings = doctor.examine()
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    assert {f"copy mode {mode}" for mode in COPY_MODES} < set(names)
    assert {"Python", "lab directory", "device", "cachestat", "jupyterlab", "chromium"} < set(names)
    assert all(finding.detail for finding in findings)


def test_read_and_send_works_everywhere():
    assert by_name(doctor.examine())["copy mode read_send"].is_available


def test_a_missing_package_names_the_extra_that_brings_it(monkeypatch):
    def no_version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", no_version)
    findings = by_name(doctor.examine())
    assert findings["matplotlib"].detail == "not installed: pip install 'kfast[lab]' brings it"
    assert findings["nbval"].detail == "for tests only; not installed: pip install 'kfast[test]' brings it"
    assert not findings["nbval"].is_available


def test_a_missing_program_says_what_it_would_be_for(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert by_name(doctor.examine())["mvn"] == doctor.Finding(
        "mvn", False, "for fetching Apache Kafka only; not found on the PATH"
    )


def test_without_a_place_for_data_the_rest_is_still_told(monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor, "LabDirectory", no_space)
    findings = by_name(doctor.examine())
    assert not findings["lab directory"].is_available
    assert "No space left on device" in findings["lab directory"].detail
    assert findings["Python"].is_available

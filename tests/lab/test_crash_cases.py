"""All of golden case 10 is there, and kfast decides as Apache Kafka did."""

from __future__ import annotations

import json

import kfast
from kfast.lab.crash_cases import DAMAGED, WRITTEN, CrashCase, KeptLog, case_table, crash_cases
from kfast.lab.recovery import Fate


def test_every_damage_that_kafka_was_given_is_there():
    manifest = json.loads(kfast.data_path("data", "golden", "manifest.json").read_text())
    assert {f"10-crash-{name}" for name in DAMAGED} == {name for name in manifest["cases"] if "10-crash-" in name}
    assert manifest["cases"]["10-crash-as-it-is"]["after_recovery"]["end_offset_on_disk"] == WRITTEN


def test_kfast_keeps_what_kafka_kept():
    cases = crash_cases()
    assert all(case.agrees for case in cases), "\n".join(case_table(cases))
    assert sum(case.recovery.lost > 0 for case in cases) == 5
    assert all(case.recovery.reports for case in cases if case.recovery.cut_bytes)
    (swapped,) = (case for case in cases if case.damage == DAMAGED["swap"])
    assert [piece.fate for piece in swapped.recovery.pieces] == [Fate.CHECKED] * 111


def test_the_table_has_a_line_for_each_and_says_where_they_differ():
    (case,) = crash_cases(["torn-12"])
    head, line = case_table([case])
    assert head.split("  ")[0] == "damage"
    assert line.endswith("679 records, 46,563 bytes  the same")
    other = CrashCase(case.damage, KeptLog(680, 46_563, 3), case.recovery)
    assert not other.agrees
    assert case_table([other])[1].endswith("680 records, 46,563 bytes  679 records, 46,563 bytes")

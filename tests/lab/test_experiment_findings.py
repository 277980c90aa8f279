from dataclasses import replace

from kfast.lab.experiment import Arm
from kfast.lab.experiment_findings import (
    agreement,
    agreement_sentence,
    arm_table,
    headline,
    held_against,
    is_effect,
    last_two,
    no_finding,
    report_lines,
    resolution_sentence,
    sentence,
    table_lines,
)
from kfast.lab.unavailable import Unavailable

SMALL, LARGE = Arm.of("small", size=1), Arm.of("large", size=1000, codec="zstd")
STEADY = {SMALL: [1.0] * 10, SMALL.again(): [1.1, 0.95, 1.1, 0.95, 1.1] * 2}


def test_an_effect_is_told_with_its_interval_and_the_limit(fake_result):
    result = fake_result({**STEADY, LARGE: [3.0, 3.1, 3.2, 3.0, 3.1] * 2})
    comparison = result.comparisons[0]
    assert is_effect(result, comparison)
    assert sentence(result, comparison) == (
        "large over small, records a second: 3.10 times [3.00, 3.15]. The limit was broker CPU."
    )
    assert headline(result) == "large over small, records a second: 3.10 times"


def test_what_is_no_larger_than_the_resolution_is_no_effect(fake_result):
    result = fake_result({**STEADY, LARGE: [1.05] * 10})
    comparison = result.comparisons[0]
    assert not is_effect(result, comparison)
    assert "no effect larger than the A/A resolution (1.10 times)" in sentence(result, comparison)
    assert headline(result).endswith("no effect")


def test_a_smoke_run_finds_nothing_out(fake_result):
    result = fake_result({**STEADY, LARGE: [3.0] * 10}, is_smoke=True)
    assert "no finding" in sentence(result, result.comparisons[0])
    assert "3.00" not in sentence(result, result.comparisons[0])
    assert headline(result) == "Smoke run, no finding"
    assert no_finding(result)


def test_two_runs_agree_where_their_intervals_meet(fake_result):
    first, second, third = (fake_result({**STEADY, LARGE: [low, low + 1] * 5}) for low in (3.0, 3.5, 9.0))
    assert agreement([first, second])[0].endswith(" agree.")
    assert agreement([first, third])[0].endswith("DO NOT agree.")
    assert agreement_sentence([first, second]) == "The last two stored runs agree in 1 of 1 comparisons."
    assert agreement_sentence([first, second, third]).endswith(
        " 0 of 1 comparisons; the others differ by at most 2.38 times."
    )


def test_one_run_alone_agrees_with_nothing(fake_result):
    found = fake_result({**STEADY, LARGE: [3.0] * 10})
    smoke, elsewhere = replace(found, is_smoke=True), replace(found, provenance=on_another_machine(found))
    for results in ([], [found], [found, smoke], [found, elsewhere]):
        assert agreement(results) == [
            "No two full runs on one machine are stored: it takes two to say whether they agree."
        ]
        assert agreement_sentence(results) == ""
    assert last_two([found, elsewhere, found]) == (found, found)


def test_what_only_one_of_two_runs_compared_is_said_so(fake_result):
    result = fake_result({**STEADY, LARGE: [3.0] * 10})
    (usual,) = result.comparisons
    turned = replace(usual, words="the other way around", over=usual.under, under=usual.over)
    lines = agreement([result, replace(result, comparisons=(usual, turned))])
    assert lines[0].endswith(" agree.")
    assert lines[1] == "the other way around: not compared in the run before."


def test_fewer_blocks_than_a_finding_takes_find_nothing_out(fake_result):
    result = fake_result({SMALL: [1.0] * 9, LARGE: [3.0] * 9})
    assert no_finding(result) == "9 blocks count; it takes 10: no finding."
    assert headline(result) == "Too few blocks, no finding"


def on_another_machine(result):
    return replace(result.provenance, cpu="another processor")


def test_a_prediction_is_held_against_the_ratio(fake_result):
    result = fake_result({**STEADY, LARGE: [3.0] * 10})
    assert held_against("Large", 2.0, result, result.comparisons[0]) == (
        "Large: you predicted 2 times; measured: 3.00 times [3.00, 3.00]: more than you thought."
    )
    missing = fake_result({SMALL: [1.0]})
    assert "unavailable" in held_against("Large", 2.0, missing, missing.comparisons[0])


def test_the_table_has_a_row_an_arm_with_its_limit(fake_result, fake_experiment):
    rows = arm_table(fake_experiment(), fake_result({**STEADY, LARGE: [3.0] * 10}))
    assert rows[0].split("  ")[0].strip() == "arm"
    assert [row.split("  ")[0] for row in rows[1:]] == ["small", "small again (A/A)", "large"]
    assert all(row.endswith("broker CPU") for row in rows[1:])


def test_the_report_says_what_it_shows_and_how_to_check_it(fake_result, fake_experiment):
    lines = report_lines(fake_experiment(), fake_result({**STEADY, LARGE: [3.0] * 10}))
    for wanted in (
        "What this shows: that it works",
        "What it does not: anything",
        "It would be wrong if: it does not",
        "To check it without kfast: true",
        "sync policy: none.",
    ):
        assert wanted in lines


def test_the_resolution_stands_beside_the_ratios(fake_result):
    result = fake_result({**STEADY, LARGE: [3.0] * 10})
    assert resolution_sentence(result, "records_per_s") == "The same arm run twice differed by up to 1.10 times."
    alone = fake_result({SMALL: [1.0], LARGE: [3.0]})
    assert resolution_sentence(alone, "records_per_s") == "Resolution unavailable: no arm was run twice."


def test_below_the_table_stands_why_an_arm_is_not_in_it(fake_result, fake_experiment):
    result = replace(fake_result({SMALL: [1.0]}), skipped=((LARGE, Unavailable("no codec here")),))
    assert arm_table(fake_experiment(), result)[-1] == "large: unavailable: no codec here"


def test_the_columns_of_a_table_stand_below_each_other():
    assert table_lines([["arm", "MB/s"], ["a long one", "1"]]) == ["arm         MB/s", "a long one  1"]

"""The controls and their twin in code lead to the same picture."""

from __future__ import annotations

import pytest

from kfast.lab.crashed_log import ALL, OLDER, CrashedLog
from kfast.lab.damage import CUT_OFF, FLIPPED
from kfast.viz.recovery_view import RecoveryView


@pytest.fixture
def view():
    return RecoveryView(CrashedLog(), 23_000)


def test_the_slider_covers_every_byte_of_the_log(view):
    place, damage, believed, sentence, _ = view.view.children
    assert (place.min, place.max, place.value) == (0, 46_840, 23_000)
    assert len(damage.options) == 4
    assert len(believed.options) == 3
    assert sentence.value == "374 of 683 records are gone: a batch of 3 is wrong, and 371 lay behind it."


def test_each_control_draws_anew_and_says_so(view):
    place, damage, believed, sentence, image = view.view.children
    seen = [image.value]
    for control, value, words in (
        (place, 46_839, "4 of 683 records are gone: a batch of 4 is wrong."),
        (damage, CUT_OFF, "4 of 683 records are gone: at position 7040 of 00000000000000000560.log no batch begins."),
        (damage, FLIPPED, "4 of 683 records are gone: a batch of 4 is wrong."),
        (believed, ALL, "Nothing is cut, but 4 of 683 records can no longer be read as they were."),
    ):
        control.value = value
        assert sentence.value == words
        assert image.value != seen[-1]
        seen.append(image.value)
    assert view.result().finding == sentence.value


def test_break_at_is_the_controls_in_code(view):
    recovery = view.break_at(23_000, FLIPPED, OLDER)
    assert (recovery.lost, recovery.unreadable) == (0, 3)
    assert view.result().png() == bytes(view.view.children[4].value)
    assert repr(view) == "RecoveryView('one bit flipped' at 23000, 'a crash, older segments flushed')"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((46_841,), r"position 46841 is not within 0\.\.46840"), ((0, "rust"), "there are cut off")],
)
def test_what_is_not_on_offer_is_refused_and_changes_nothing(view, arguments, words):
    with pytest.raises(ValueError, match=words):
        view.break_at(*arguments)
    assert view.view.children[0].value == 23_000

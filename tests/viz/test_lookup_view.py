"""The slider and its twin in code lead to the same picture."""

from __future__ import annotations

import pytest

from kfast.lab.golden import GoldenDirectory
from kfast.log.log import Log
from kfast.viz.lookup_view import LookupView


@pytest.fixture(scope="module")
def golden() -> GoldenDirectory:
    return GoldenDirectory("01-plain")


@pytest.fixture
def view(golden):
    return LookupView(Log.open(golden.path / "sparse-0", was_clean=True), 150)


def slider_of(view):
    return view.view.children[0]


def test_the_slider_covers_every_offset_of_the_log(view):
    assert (slider_of(view).min, slider_of(view).max, slider_of(view).value) == (0, 1199, 150)


def test_moving_the_slider_draws_anew_and_says_so(view):
    _, sentence, image = view.view.children
    before = image.value
    slider_of(view).value = 430
    assert image.value != before
    assert sentence.value == "Offset 430 is in the batch at position 44,433: 8 headers read, 65 without the index."
    assert view.result().finding == sentence.value


def test_look_up_is_the_slider_in_code(view):
    steps = view.look_up(1199)
    assert steps.position == 28_217
    assert slider_of(view).value == 1199
    assert view.result().png() == bytes(view.view.children[2].value)


def test_an_offset_beyond_the_log_is_refused_and_changes_nothing(view):
    with pytest.raises(ValueError, match=r"offset 1200 is not within 0\.\.1199"):
        view.look_up(1200)
    assert repr(view) == "LookupView(150 of 0..1199)"

from kfast.viz import style
from kfast.viz.measured_text import balanced, shortened, text_width_px, wrapped

FIGURE = style.new_figure(400, 100)
WORDS = "records of one hundred bytes a batch over one"


def test_longer_words_are_wider():
    assert 0 < text_width_px(FIGURE, "a", 10) < text_width_px(FIGURE, "ab", 10) < text_width_px(FIGURE, "ab", 12)


def test_lines_break_where_they_no_longer_fit():
    lines = wrapped(FIGURE, WORDS, 10, 150).split("\n")
    assert " ".join(lines) == WORDS
    assert len(lines) > 1
    assert all(text_width_px(FIGURE, line, 10) <= 150 for line in lines)
    assert wrapped(FIGURE, "unbreakable", 10, 5) == "unbreakable"
    assert wrapped(FIGURE, "", 10, 100) == ""


def test_balanced_lines_leave_no_word_alone():
    room = text_width_px(FIGURE, WORDS, 10) - 1
    assert wrapped(FIGURE, WORDS, 10, room).split("\n")[1] == "one"
    first, second = balanced(FIGURE, WORDS, 10, room).split("\n")
    assert abs(len(first) - len(second)) < 10


def test_what_is_too_long_is_cut_off_at_a_word():
    assert shortened(FIGURE, WORDS, 10, 1000) == WORDS
    assert shortened(FIGURE, WORDS, 10, 120).endswith(" ...")
    assert text_width_px(FIGURE, shortened(FIGURE, WORDS, 10, 120), 10) <= 120

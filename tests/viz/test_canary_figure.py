from kfast.lab.canary import CanaryResult
from kfast.lab.unavailable import Unavailable
from kfast.viz.canary_figure import draw_canaries, finding_of

SIZE = 65_536
RESULTS = {
    "read_send": CanaryResult("read_send", SIZE, SIZE, 0),
    "sendfile": CanaryResult("sendfile", SIZE, 0, SIZE),
    "splice": Unavailable("splice(2) is a Linux system call"),
}


def letters(shown):
    return [text.get_text() for text in shown.figure.axes[0].texts if text.get_text() in ("o", "n")]


def test_every_page_is_drawn_as_it_arrived():
    shown = draw_canaries(RESULTS)
    assert letters(shown) == ["o"] * 16 + ["n"] * 16
    assert "skipped: splice(2) is a Linux system call" in [text.get_text() for text in shown.figure.axes[0].texts]


def test_the_finding_is_what_was_found():
    assert finding_of(RESULTS) == "sendfile sent references to the page cache; read+send sent copies"
    copied = {"sendfile": CanaryResult("sendfile", SIZE, SIZE, 0)}
    assert finding_of(copied) == "sendfile sent copies"
    assert finding_of({"splice": RESULTS["splice"]}) == "No copy mode works here"


def test_a_mixture_is_drawn_page_by_page_and_claimed_as_nothing():
    shown = draw_canaries({"splice": CanaryResult("splice", SIZE, SIZE // 4, 3 * SIZE // 4)})
    assert letters(shown) == ["o"] * 4 + ["n"] * 12
    assert shown.finding == "No copy mode works here."

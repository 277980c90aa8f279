import itertools

import pytest
from matplotlib.transforms import Bbox

from kfast.lab.data_way import Mover, Traffic, data_way
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.way_figure import BOX_HEIGHT, HEIGHT_PX, WIDTH_PX, WayFigure, hop_lines, rate_text

MODES = tuple(style.MODE_STYLES)


def traffic(copy_mode, rate, *, is_discarding=False, device=None):
    return Traffic(
        copy_mode,
        received_bytes_per_s=rate,
        appended_bytes_per_s=rate,
        sent_bytes_per_s={copy_mode: rate},
        consumed_bytes_per_s=rate,
        device_read_bytes_per_s=rate if device is None else device,
        device_write_bytes_per_s=rate if device is None else device,
        receiver_discards=is_discarding,
        unflushed_bytes=int(rate * 100),
        dirty_bytes=int(rate * 100),
    )


def shown(way_traffic):
    figure = WayFigure()
    figure.show(data_way(way_traffic))
    figure.figure.canvas.draw()
    return figure


def boxes_of_texts(figure):
    return [
        (text.get_text(), text.get_window_extent())
        for text in figure.figure.axes[0].texts
        if text.get_text() and text.get_visible()
    ]


@pytest.mark.parametrize("copy_mode", MODES)
@pytest.mark.parametrize("rate", [0.0, 4.2e6, 12_345e6])
@pytest.mark.parametrize("is_discarding", [False, True])
def test_no_text_overlaps_another_an_arrow_or_the_border(copy_mode, rate, is_discarding):
    figure = shown(traffic(copy_mode, rate, is_discarding=is_discarding))
    texts = boxes_of_texts(figure)
    for (words, box), (others, other) in itertools.combinations(texts, 2):
        assert Bbox.intersection(box, other) is None, (words, others)
    arrows = [arrow.get_window_extent() for arrow in figure._arrows.values()]
    for words, box in texts:
        assert not any(Bbox.intersection(box, arrow) is not None for arrow in arrows), words
        assert box.x0 >= 0, words
        assert box.y0 >= 0, words
        assert box.x1 <= WIDTH_PX, words
        assert box.y1 <= HEIGHT_PX, words


def test_an_arrow_is_as_thick_as_its_rate():
    figure = shown(traffic("read_send", 4e8))
    full = figure.thickness_px(5e8)
    assert figure.thickness_px(2.5e8) == pytest.approx(full / 2)
    assert 0 < figure.thickness_px(0) < 3
    assert full + 10 < BOX_HEIGHT


def test_scale_grows_with_the_peak_and_stays_for_a_while():
    figure = WayFigure()
    figure.show(data_way(traffic("sendfile", 1.5e9)))
    scale = figure._scale_text.get_text()
    assert scale == "= 2,000 MB/s"
    figure.show(data_way(traffic("sendfile", 0.5e9)))
    assert figure._scale_text.get_text() == scale


def test_copies_and_dma_differ_in_colour_and_skipped_hops_are_grey():
    figure = shown(traffic("sendfile", 1e9))
    colors = {slot: arrow.get_facecolor()[:3] for slot, arrow in figure._arrows.items()}
    assert colors["1.2"] != colors["1.3"]
    assert colors["2.2"] == colors["2.3"]
    assert max(colors["2.2"]) - min(colors["2.2"]) < 0.05
    assert max(colors["1.2"]) - min(colors["1.2"]) > 0.5
    switched = shown(traffic("read_send", 1e9))
    assert switched._arrows["2.2"].get_facecolor()[:3] == colors["1.2"]


def test_what_is_inferred_is_dashed():
    figure = shown(traffic("splice", 1e9))
    assert figure._arrows["3.2"].get_linestyle() != "-"
    assert figure._arrows["1.1"].get_linestyle() == "-"


def test_background_is_stale_only_when_words_change():
    figure = WayFigure()
    assert figure.show(data_way(traffic("sendfile", 1e9)))
    assert not figure.show(data_way(traffic("sendfile", 2e9)))
    assert figure.show(data_way(traffic("read_send", 2e9)))


def test_a_missing_counter_is_said_and_not_drawn_as_zero():
    figure = shown(traffic("sendfile", 1e9, device=Unavailable("no /proc/diskstats")))
    words = [text.get_text() for text in figure._texts["1.3"]]
    assert words == ["1.3  not measured", "DMA, write-back", "no counter here"]


def test_lines_beside_an_arrow():
    way = data_way(traffic("read_send", 1e9))
    assert hop_lines(way.read[1]) == ("2.2  1,000 MB/s", "CPU copy, pread()", "measured: broker")
    assert hop_lines(way.read[3])[0] == "3.2  skipped"
    assert hop_lines(way.read[4]) == ("2.5  1,000 MB/s", "receiver copies (CPU)", "measured: client")
    assert way.read[4].mover is Mover.CPU


@pytest.mark.parametrize(
    ("rate", "words"), [(0, "0 MB/s"), (4.25e6, "4.2 MB/s"), (12.3e6, "12 MB/s"), (1.2345e9, "1,234 MB/s")]
)
def test_rates_as_people_read_them(rate, words):
    assert rate_text(rate) == words

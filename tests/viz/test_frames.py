import io

import pytest
from PIL import Image

from kfast.viz import style
from kfast.viz.frames import FrameRenderer, stack


@pytest.fixture
def figure():
    figure = style.new_figure(200, 100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    return figure


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def test_a_frame_shows_what_moved(figure):
    line = figure.axes[0].plot([0, 1], [0.5, 0.5], color="red", lw=8)[0]
    renderer = FrameRenderer(figure, lambda: [line])
    assert pixels(renderer.frame()).getpixel((100, 50)) == (255, 0, 0)
    line.set_ydata([0.1, 0.1])
    moved = pixels(renderer.frame())
    assert moved.getpixel((100, 50)) == (255, 255, 255)
    assert moved.getpixel((100, 90)) == (255, 0, 0)


def test_the_background_is_drawn_again_only_when_stale(figure):
    title = figure.text(0.5, 0.5, "")
    renderer = FrameRenderer(figure, list)
    empty = renderer.frame()
    title.set_text("hello")
    assert renderer.frame() == empty
    assert renderer.frame(is_background_stale=True) != empty


def test_pictures_are_stacked_one_below_the_other():
    colors = {"red": (30, 10), "blue": (20, 5)}
    pngs = []
    for color, size in colors.items():
        buffer = io.BytesIO()
        Image.new("RGB", size, color).save(buffer, "PNG")
        pngs.append(buffer.getvalue())
    whole = pixels(stack(pngs))
    assert whole.size == (30, 15)
    assert whole.getpixel((0, 9)) == (255, 0, 0)
    assert whole.getpixel((0, 10)) == (0, 0, 255)
    assert whole.getpixel((29, 14)) == (255, 255, 255)

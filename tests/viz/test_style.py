import io

import matplotlib as mpl
from PIL import Image

from kfast.transfer.modes import COPY_MODES
from kfast.viz import style


def test_each_copy_mode_has_a_look_of_its_own():
    looks = style.MODE_STYLES
    assert set(looks) == set(COPY_MODES)
    for attribute in ("label", "color", "marker", "linestyle"):
        assert len({getattr(look, attribute) for look in looks.values()}) == len(looks)


def test_the_readers_own_settings_come_back():
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["axes.grid"] is True
    assert dict(mpl.rcParams) == before


def test_figures_are_opaque_white_and_of_the_size_asked_for():
    figure = style.new_figure(320, 200)
    image = Image.open(io.BytesIO(style.to_png(figure))).convert("RGBA")
    assert image.size == (320, 200)
    assert image.getpixel((0, 0)) == (255, 255, 255, 255)

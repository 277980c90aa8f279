"""A shown figure brings its words along in every form."""

from __future__ import annotations

import base64
import io

from matplotlib.patches import Rectangle
from PIL import Image

from kfast.viz import style
from kfast.viz.shown_figure import ShownFigure


def test_every_form_has_the_words_or_the_picture():
    shown = ShownFigure(style.new_figure(120, 80), 'Less than "half" & more.', "One line.")
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == 'Less than "half" & more. One line.'
    assert 'alt="Less than &quot;half&quot; &amp; more. One line."' in bundle["text/html"]
    png = base64.b64decode(bundle["image/png"])
    assert png.startswith(b"\x89PNG")
    assert bundle["image/png"] in bundle["text/html"]
    assert repr(shown) == "ShownFigure('Less than \"half\" & more.')"


def test_a_rare_colour_keeps_its_meaning_among_many_common_ones():
    figure = style.new_figure(400, 300)
    for step in range(400):
        figure.add_artist(Rectangle((step / 400, 0.5), 1 / 400, 0.5, color=(step / 400, 0.6, 0.0)))
    figure.add_artist(Rectangle((0.1, 0.1), 0.02, 0.02, color=style.REDDISH_PURPLE))
    image = Image.open(io.BytesIO(ShownFigure(figure, "").png())).convert("RGB")
    seen = image.getpixel((44, 267))
    wanted = tuple(bytes.fromhex(style.REDDISH_PURPLE[1:]))
    assert max(abs(one - other) for one, other in zip(seen, wanted, strict=True)) < 16

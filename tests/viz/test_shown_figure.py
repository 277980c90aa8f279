"""A shown figure brings its words along in every form."""

from __future__ import annotations

import base64

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

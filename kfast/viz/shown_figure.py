"""A figure as a notebook shows it: a picture with its finding as alternative text.

JupyterLab gives an image/png no alternative text, so the picture is in HTML as well.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure
from PIL import Image

from kfast.viz import style

COLOR_COUNT = 160


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A finished figure. `finding` is what it says in a sentence, `description` what else a reader would see in it."""

    figure: Figure
    finding: str
    description: str = ""

    @property
    def words(self) -> str:
        return " ".join(filter(None, (self.finding, self.description)))

    def png(self) -> bytes:
        """The picture with a palette: a third of the bytes, as a notebook's repository keeps every picture twice.

        The palette covers all colours there are: one of the most frequent ones turned a few vermillion dots orange.
        """
        image = Image.open(io.BytesIO(style.to_png(self.figure))).convert("RGB")
        buffer = io.BytesIO()
        image.quantize(COLOR_COUNT, Image.Quantize.MAXCOVERAGE).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        png = base64.b64encode(self.png()).decode()
        words = escape(self.words, quote=True)
        return {
            "text/html": f'<img alt="{words}" src="data:image/png;base64,{png}" style="max-width:100%">',
            "image/png": png,
            "text/plain": self.words,
        }

    def __repr__(self) -> str:
        return f"ShownFigure({self.finding!r})"

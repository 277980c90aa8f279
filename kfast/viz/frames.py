"""Frames of one figure, cheap enough to send several times a second: the background is drawn once, the rest blitted.

A full drawing of axes, ticks and texts costs some 30 ms; restoring the background and drawing the few artists that move
costs 3. Only one thread may use a `FrameRenderer`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

WHITE = [255, 255, 255]


class FrameRenderer:
    """Draws `figure` into PNG frames; `moving` names the artists that change between two full drawings."""

    def __init__(self, figure: Figure, moving: Callable[[], Sequence[Artist]]) -> None:
        assert isinstance(figure.canvas, FigureCanvasAgg)
        self._figure = figure
        self._canvas: Any = figure.canvas  # Agg's own calls are not typed
        self._moving = moving
        self._background: Any = None

    def frame(self, is_background_stale: bool = False) -> bytes:
        """Return the figure as it is now. The background is drawn again only when it is said to be stale."""
        artists = self._moving()
        if is_background_stale or self._background is None:
            for artist in artists:
                artist.set_animated(True)
            self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._figure.bbox)
        self._canvas.restore_region(self._background)
        for artist in artists:
            self._figure.draw_artist(artist)
        return self._png()

    def _png(self) -> bytes:
        buffer = io.BytesIO()
        image = Image.frombuffer(
            "RGBA", self._canvas.get_width_height(), self._canvas.buffer_rgba(), "raw", "RGBA", 0, 1
        )
        # 64 colours at level 1: 33 KB in 5 ms for a frame that lives a quarter of a second, instead of 80 KB in 8 ms.
        _with_few_colors(image.convert("RGB")).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def _with_few_colors(image: Image.Image) -> Image.Image:
    """Reduce to a palette of 64. Its entry for the background, an average of near whites, becomes white again."""
    reduced = image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette, background = reduced.getpalette(), reduced.getpixel((0, 0))
    assert palette is not None
    assert isinstance(background, int)
    palette[3 * background : 3 * background + 3] = WHITE
    reduced.putpalette(palette)
    return reduced


def stack(pngs: Sequence[bytes]) -> bytes:
    """Put pictures one below the other, left-aligned on white."""
    images = [Image.open(io.BytesIO(png)) for png in pngs]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    buffer = io.BytesIO()
    # Few colours are plenty for a drawing, and a third of the bytes in a saved notebook.
    whole.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

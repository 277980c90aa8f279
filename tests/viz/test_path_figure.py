from kfast.lab.data_way import Mover
from kfast.lab.path_walk import PathWalk, Step
from kfast.viz.path_figure import draw_paths

NIC = Step("2.4", "socket buffer", "NIC", Mover.DMA, "", None, "no NIC")
COPYING = (
    Step("2.1", "disk", "page cache", Mover.DMA, "readahead", 65_536, ""),
    Step("2.2", "page cache", "application", Mover.CPU, "pread()", 65_536, ""),
    Step("2.3", "application", "socket buffer", Mover.CPU, "send()", 65_536, ""),
    NIC,
    Step("2.5", "socket buffer", "receiver", Mover.CPU, "recv()", 65_536, ""),
)
ZERO_COPY = (
    COPYING[0],
    Step("3.2", "page cache", "socket buffer", Mover.REFERENCE, "sendfile()", 65_536, ""),
    NIC,
    COPYING[-1],
)


def test_both_paths_are_drawn_with_their_calls_and_counted():
    shown = draw_paths(PathWalk(COPYING, ZERO_COPY, (True, True)))
    words = [text.get_text() for text in shown.figure.axes[0].texts]
    assert shown.finding == "The sending CPU copies each byte twice with pread and send, never with sendfile."
    for expected in ("2.2  pread()", "2.3  send()", "3.2  sendfile()", "by reference, 64 KiB", "no NIC here"):
        assert expected in words
    assert words.count("application") == 2
    assert any("With a NIC 2 copies: 2 by DMA, none by the sending CPU" in line for line in words)

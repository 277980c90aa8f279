"""The pictures of bytes say what the bytes say, nothing hangs over the edge, and no text lies on another."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_rgba

from kfast.lab.golden import GoldenDirectory
from kfast.lab.response_fields import fetch_response, frame_of
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder
from kfast.viz import style
from kfast.viz.byte_map import WIDTH_PX, draw_batch, draw_index, draw_response

PARTITIONS = [
    ("01-plain", "sparse-1"),
    ("02-codecs", "java-zstd-0"),
    ("03-edge-records", "edge-0"),
    ("03-edge-records", "edge-large-0"),
    ("04-log-append-time", "append-time-zstd-0"),
    ("06-transactions", "ledger-0"),
]


def texts_of(shown):
    return [text for text in shown.figure.axes[0].texts if text.get_text()]


def boxes_of(shown):
    renderer = shown.figure.canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts_of(shown)]


def assert_tidy(shown):
    width, height = shown.figure.canvas.get_width_height()
    boxes = boxes_of(shown)
    for words, box in boxes:
        assert box.x0 >= 0, words
        assert box.x1 <= width, words
        assert box.y0 >= 0, words
        assert box.y1 <= height, words
    for number, (words, box) in enumerate(boxes):
        for other_words, other in boxes[number + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or along <= 3, f"{words!r} and {other_words!r} overlap"


def first_and_last_batch(case, partition):
    golden = GoldenDirectory(case)
    log = Log.open(golden.path / partition, was_clean=True)
    batches = [batch for _, batch in log.segments[0].records.batches()]
    return batches[0], batches[-1]


@pytest.mark.parametrize(("case", "partition"), PARTITIONS)
def test_batches_of_every_kind_are_drawn_tidily(case, partition):
    for batch in first_and_last_batch(case, partition):
        shown = draw_batch(batch)
        assert shown.figure.canvas.get_width_height()[0] == WIDTH_PX
        assert_tidy(shown)


def test_a_batch_shows_its_own_bytes_and_fields():
    batch, _ = first_and_last_batch("01-plain", "sparse-1")
    shown = draw_batch(batch)
    words = [text.get_text() for text in texts_of(shown)]
    cells = [text.get_text() for text in texts_of(shown) if text.get_ha() == "center"]
    assert bytes(batch.buffer[:16]) == bytes.fromhex("".join(cells[:16]))
    assert {"partition_leader_epoch", f"{batch.crc:#010x}, right", str(batch.base_offset)} <= set(words)
    assert shown.finding.startswith(f"A batch of {batch.count} records in {batch.size_bytes} bytes")
    assert "0 base_offset" in shown.description
    assert "stamped by the broker" in shown.description


def test_an_index_shows_its_entries_as_they_lie_in_the_file():
    golden = GoldenDirectory("01-plain")
    segment = Log.open(golden.path / "sparse-0", was_clean=True).segments[1]
    shown = draw_index(segment)
    assert_tidy(shown)
    words = [text.get_text() for text in texts_of(shown)]
    assert {"45 above the base: 515", "4,639 in the .log file", "2d"} <= set(words)
    assert f"{len(segment.offset_index)} of them lead into the {segment.size_bytes:,} bytes" in shown.finding


@pytest.fixture(scope="module")
def golden():
    return GoldenDirectory("01-plain")


@pytest.fixture(scope="module")
def log(golden):
    return Log.open(golden.path / "sparse-0", was_clean=True)


def cells_of(shown):
    return [text.get_text() for text in texts_of(shown) if text.get_ha() == "center"]


def test_a_short_response_is_drawn_whole_and_its_slice_underlined(tmp_path):
    builder = RecordBatchBuilder()
    builder.append(b"key", b"value", 1_700_000_000_000)
    short = Log.open(tmp_path)
    short.append(builder.build())
    chunks = fetch_response(short, 0)
    shown, size = draw_response(chunks), sum(map(len, chunks))
    assert_tidy(shown)
    assert bytes.fromhex("".join(cells_of(shown))) == frame_of(chunks)
    underlined = [box for box in shown.figure.axes[0].patches if box.get_facecolor() == to_rgba(style.BLUE)]
    assert len(underlined) == chunks[1].size + 1  # and one in the legend
    assert shown.finding.startswith(f"A fetch of {size:,} bytes: the broker makes {size - chunks[1].size:,} of them")
    assert "00000000000000000000.log" in shown.finding
    short.close()


def test_a_long_response_is_drawn_with_both_ends(log):
    chunks = fetch_response(log, 515, max_bytes=5000)
    shown, frame = draw_response(chunks), frame_of(chunks)
    assert_tidy(shown)
    cells = bytes.fromhex("".join(cells_of(shown)))
    assert frame.startswith(cells[:128])
    assert frame.endswith(cells[128:])
    left_out = len(frame) - len(cells)
    assert f"... {left_out:,} bytes ..." in {text.get_text() for text in texts_of(shown)}

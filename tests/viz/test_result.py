import base64
import io

from PIL import Image

from kfast.lab.data_way import Traffic, data_way
from kfast.lab.mode_comparison import ComparisonPlan, ModeComparison, TurnResult
from kfast.viz.result import DashboardResult, mode_sentences
from kfast.viz.time_figure import Change, Point, Timeline

WAY = data_way(Traffic("sendfile", sent_bytes_per_s={"sendfile": 1e9}))


def timeline():
    both = [Point(number / 4, 300.0, 1000.0, 0.5, "sendfile", 1024, "both") for number in range(8)]
    small = [Point(2 + number / 4, 20.0, 1000.0, 0.7, "sendfile", 16, "both") for number in range(4)]
    again = [Point(3 + number / 4, 0.0, 900.0, 0.9, "read_send", 16, "reread") for number in range(4)]
    return Timeline([*both, *small, *again], [Change(2.0, "batch 16")])


def comparison():
    turns = ComparisonPlan(2, 0.1, 0.1).turns(["read_send", "sendfile"], seed=1)
    found = ModeComparison(turns)
    costs = {"read_send": 0.6, "sendfile": 0.3}
    found.results += [TurnResult(turn, 0.1, costs[turn.copy_mode], 10**9, 10**9, "none") for turn in turns]
    return found


def test_the_saved_output_holds_figure_alternative_text_and_sentences():
    result = DashboardResult(timeline(), comparison(), WAY)
    bundle = result._repr_mimebundle_()
    assert "cost the broker 2.00 times" in bundle["text/plain"]
    assert "alt='Re-reading the log, broker CPU seconds per GB" in bundle["text/html"]
    image = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert image.width == 800
    assert image.height > 600


def test_nothing_measured_is_said():
    result = DashboardResult(Timeline(), None, None)
    assert result.sentences == ["Nothing has been measured yet."]
    assert result._repr_mimebundle_()["image/png"]


def test_live_samples_are_summed_up_by_workload_and_mode():
    sentences = mode_sentences(timeline())
    assert len(sentences) == 2
    assert sentences[0].startswith("Live, read+send, workload re-read, median of 4 samples: 0.90 broker CPU")
    assert sentences[1].startswith("Live, sendfile, workload both, median of 12 samples: 0.50 broker CPU")


def test_throughput_by_batch_size_leaves_out_what_produced_nothing():
    assert DashboardResult(timeline(), None, WAY).produce_by_batch == {16: 20.0, 1024: 300.0}

from kfast.lab.mode_comparison import ComparisonPlan, ModeComparison, TurnResult
from kfast.viz import style
from kfast.viz.comparison_figure import comparison_figure

COSTS = {"read_send": 0.6, "mmap_send": 0.5, "sendfile": 0.3, "splice": 0.3}


def test_every_turn_is_a_dot_of_its_mode_and_the_title_is_the_finding():
    turns = ComparisonPlan(3, 0.1, 0.1).turns(list(COSTS), seed=1)
    comparison = ModeComparison(turns)
    comparison.results += [TurnResult(turn, 0.5, COSTS[turn.copy_mode], 10**9, 10**9, "none") for turn in turns]
    figure = comparison_figure(comparison)
    cpu, throughput = figure.axes
    dots = {line.get_marker(): list(line.get_ydata()) for line in cpu.lines if line.get_marker() not in ("None", None)}
    assert dots[style.MODE_STYLES["read_send"].marker] == [0.6] * 3
    assert dots[style.MODE_STYLES["sendfile"].marker] == [0.3] * 6
    assert [label.get_text() for label in cpu.get_xticklabels()] == [look.label for look in style.MODE_STYLES.values()]
    assert cpu.get_ylim()[0] == throughput.get_ylim()[0] == 0
    assert figure.get_suptitle() == "read+send cost the broker 2.00 times the CPU of sendfile"

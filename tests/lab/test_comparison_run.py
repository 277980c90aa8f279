from types import SimpleNamespace

from kfast.lab.comparison_run import ComparisonRun
from kfast.lab.mode_comparison import ComparisonPlan

PLAN = ComparisonPlan(rounds=1, settle_s=0.2, measure_s=0.5)


def read(before: float, after: float) -> SimpleNamespace:
    """Samples are moments: a GB and a third of a CPU second for each second."""
    elapsed_s = after - before
    moved = int(elapsed_s * 1e9)
    return SimpleNamespace(
        elapsed_s=elapsed_s, broker_cpu_s=elapsed_s / 3, moved_bytes=moved, consumed_bytes=moved, limited_by="none"
    )


def test_turns_settle_then_measure_then_change():
    run = ComparisonRun(PLAN, ["read_send", "sendfile"], read, seed=1)
    order = [turn.copy_mode for turn in run.comparison.turns]
    assert run.step(0.0, 0.0) == order[0]
    assert run.step(0.1, 0.1) is None
    assert not run.is_measuring
    assert run.step(0.25, 0.25) is None
    assert run.is_measuring
    assert run.step(0.5, 0.5) is None
    assert run.step(0.75, 0.75) == order[1]
    assert not run.is_measuring
    assert [result.elapsed_s for result in run.comparison.results] == [0.5]


def test_done_after_the_last_turn():
    run = ComparisonRun(PLAN, ["read_send", "sendfile"], read, seed=1)
    moments = [number / 4 for number in range(40)]
    switched = []
    for moment in moments:
        if run.is_done:
            break
        switched.append(run.step(moment, moment))
    assert run.is_done
    assert [mode for mode in switched if mode] == [turn.copy_mode for turn in run.comparison.turns]
    assert run.comparison.complete_rounds == 1
    assert run.comparison.limits() == ["none"]

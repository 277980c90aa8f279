import pytest

from kfast.lab.study import Study, StudyState
from kfast.viz import study_view


@pytest.mark.parametrize(
    ("is_over", "words"),
    [
        (False, "Measuring: 13 of 40 runs, 1 complete block, 3 s; last: splice, 64 KiB chunks"),
        (True, "Measured: 13 of 40 runs, 1 complete block, 3 s."),
    ],
)
def test_the_line_says_how_far_it_is(is_over, words):
    state = StudyState(13, 40, "splice, 64 KiB chunks", 1, 3.2)
    assert study_view.state_words(state, is_over) == words


def test_watching_ends_with_the_study_and_leaves_its_last_line(monkeypatch):
    class Short:
        def blocks(self, progress):
            for done in (1, 2):
                progress(done, 2, "a run")
                yield [done]

        def result(self, runs):
            return runs

    class Handle:
        lines = ()

        def update(self, line):
            self.lines = (*self.lines, repr(line))

    handle = Handle()
    monkeypatch.setattr(study_view, "display", lambda line, display_id: handle)
    study = Study(Short())
    study.start()
    study_view.watch(study)
    assert not study.is_running
    assert handle.lines[-1].startswith("Measured: 2 of 2 runs, 2 complete blocks")

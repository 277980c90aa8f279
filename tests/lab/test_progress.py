import io

from kfast.lab.progress import ProgressMeter


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_a_line_for_each_tenth():
    stream = io.StringIO()
    with ProgressMeter("kfast bench copy", stream) as progress:
        for done in range(1, 101):
            progress(done, 100, "sendfile")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1] == "kfast bench copy: 100 of 100 runs"


def test_the_last_run_is_said_of_a_few_as_well():
    stream = io.StringIO()
    with ProgressMeter("kfast bench copy", stream) as progress:
        progress(3, 3, "sendfile")
    assert stream.getvalue() == "kfast bench copy: 3 of 3 runs\n"


def test_a_terminal_gets_a_bar_that_goes_when_it_is_through():
    stream = Terminal()
    with ProgressMeter("kfast bench copy", stream) as progress:
        progress(1, 2, "sendfile")
        progress(2, 2, "splice")
    assert "kfast bench copy" in stream.getvalue()
    assert "\r" in stream.getvalue()


def test_a_terminal_without_tqdm_gets_lines(monkeypatch):
    monkeypatch.setattr("kfast.lab.progress._tqdm", lambda: None)
    stream = Terminal()
    with ProgressMeter("kfast bench copy", stream) as progress:
        progress(2, 2, "splice")
    assert stream.getvalue() == "kfast bench copy: 2 of 2 runs\n"

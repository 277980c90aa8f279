"""E3, IBM's famous table, reproduced with its flaw and then repaired.

The table of "Efficient data transfer through zero copy" compares a program that reads and writes 4 KB at a time with
one call of transferTo for a whole file. So it changes two things at once: the copies, and the size of a call. Here the
same files are sent as published, and then with equal chunks in both arms, which leaves the copies alone. Source of the
table: kfast.lab.published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from kfast.lab.copy_session import SENDER_CPU, THROUGHPUT, CopyLink, measurement
from kfast.lab.counters import difference, machine_cpu
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Measurement, Options, Plan, block_count
from kfast.lab.experiment_findings import no_finding
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.mode_comparison import LABELS
from kfast.lab.prediction import factor
from kfast.lab.published import IBM_TABLE_MB_MS
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable

MB = 1_000_000
FILE_SIZES = tuple(size * MB for size, _, _ in IBM_TABLE_MB_MS)
SMOKE_FILE_SIZES = FILE_SIZES[:1]
IBM_BUFFER_SIZE = 4 << 10
EQUAL_CHUNK_SIZE = 1 << 20
COPYING, ZERO_COPY = "read_send", "sendfile"
AS_PUBLISHED, REPAIRED = "as published", "repaired"
ELAPSED = "elapsed_ms"


def table_arm(copy_mode: str, file_size: int, form: str) -> Arm:
    """One file by one mode: with IBM's chunk sizes, or with equal ones."""
    published_size = IBM_BUFFER_SIZE if copy_mode == COPYING else file_size
    chunk_size = published_size if form == AS_PUBLISHED else EQUAL_CHUNK_SIZE
    calls = "one call" if chunk_size == file_size else f"{size_text(chunk_size)} chunks"
    return Arm.of(
        f"{file_size // MB} MB, {LABELS[copy_mode]}, {calls}",
        copy_mode=copy_mode,
        file_size=file_size,
        chunk_size=chunk_size,
        form=form,
        working_set_size=file_size,
        is_discarded=False,
    )


def table_arms(file_sizes: Sequence[int]) -> list[Arm]:
    """Each file by both modes in both forms; the largest as repaired again (A/A)."""
    arms = [
        table_arm(mode, size, form)
        for size in file_sizes
        for form in (AS_PUBLISHED, REPAIRED)
        for mode in (COPYING, ZERO_COPY)
    ]
    return [*arms, arms[-1].again()]


def table_comparisons(file_sizes: Sequence[int]) -> list[Comparison]:
    """read+send over sendfile: time and sender CPU, as published and repaired; the largest file first."""
    return [
        Comparison(
            _words(size, form, words),
            measure,
            table_arm(COPYING, size, form),
            table_arm(ZERO_COPY, size, form),
        )
        for measure, words in ((ELAPSED, "time"), (SENDER_CPU, "sender CPU"))
        for size in sorted(file_sizes, reverse=True)
        for form in (AS_PUBLISHED, REPAIRED)
    ]


def _words(file_size: int, form: str, measure: str) -> str:
    return f"{file_size // MB} MB, {form}: {measure} of read+send over sendfile"


def time_ratio(form: str, file_size: int = FILE_SIZES[-1]) -> Comparison:
    """How many times as long read+send takes for one file."""
    arms = (table_arm(mode, file_size, form) for mode in (COPYING, ZERO_COPY))
    return Comparison(_words(file_size, form, "time"), ELAPSED, *arms)


def about_time(results: Sequence[ExperimentResult]) -> list[ExperimentResult]:
    """The same results with no comparison but those of time, which is what the table has."""
    return [
        replace(result, comparisons=[one for one in result.comparisons if one.measure == ELAPSED]) for result in results
    ]


def published_ratios() -> dict[str, float]:
    """What the table says, by the words of the comparison that reproduces it."""
    return {_words(size * MB, AS_PUBLISHED, "time"): copying / zero for size, copying, zero in IBM_TABLE_MB_MS}


def flaw(result: ExperimentResult) -> tuple[Arm, Arm]:
    """The two arms of the smallest file that the flaw sets apart: read+send in 4 KiB, and in equal chunks."""
    size = min(arm["file_size"] for arm in result.arms)
    return table_arm(COPYING, size, AS_PUBLISHED), table_arm(COPYING, size, REPAIRED)


def share_sentences(result: ExperimentResult) -> list[str]:
    """For each file: how much of the factor as published is left when the chunks are equal."""
    sentences = []
    for size in sorted({arm["file_size"] for arm in result.arms}):
        ratios = [result.ratio(time_ratio(form, size)) for form in (AS_PUBLISHED, REPAIRED)]
        found = [ratio for ratio in ratios if not isinstance(ratio, Unavailable)]
        if len(found) == 2 and not no_finding(result):
            as_published, repaired = found
            sentences.append(
                f"{size // MB} MB: {factor(as_published)} as long as published, {factor(repaired)} with equal chunks."
            )
    return sentences or [no_finding(result) or "No file was sent in both forms."]


class TableSession:
    """Each run sends the first `file_size` bytes of one warm file once."""

    def __init__(self, link: CopyLink) -> None:
        self._link = link

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "sender and receiver": "processes of their own; one TCP connection over loopback for all arms",
            "congestion control": self._link.congestion_control,
            "state of the cache": "the file is warm; the article does not say what it was there",
            "each run": "a file sent once",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ChildError where a process has failed."""
        before = machine_cpu()
        sent, received = self._link.run(arm, arm["file_size"], arm["file_size"])
        found = measurement(sent, received, difference(machine_cpu(), before))
        values = {**found.values, ELAPSED: found.elapsed_s * 1e3}
        return Measurement(found.elapsed_s, found.cpu_s, values, found.limited_by)


@contextmanager
def open_table_session(directory: Path, file_size: int) -> Iterator[TableSession]:
    """A session on a new file; the file and the children go when it is closed."""
    with LabDirectory(directory) as place, CopyLink(place.data_file(file_size)) as link:
        yield TableSession(link)


def _plan(options: Options) -> Plan:
    file_sizes = SMOKE_FILE_SIZES if options.is_smoke else FILE_SIZES
    return Plan(
        arms=table_arms(file_sizes),
        comparisons=table_comparisons(file_sizes),
        block_count=block_count(options),
        run_s=0.02 if options.is_smoke else 0.25,
        open_session=partial(open_table_session, file_size=max(file_sizes)),
        touched_bytes=max(file_sizes),
        warms_up=not options.is_smoke,
        reopens=not options.is_smoke,
    )


IBM_TABLE = Experiment(
    name="E3",
    slug="ibm-table",
    title="Does IBM's famous table hold?",
    question="how much time does zero copy save a file's transfer, as published, and with calls of equal size?",
    factors={
        "file_size": "the eight of the table, 7 MB to 1 GB",
        "copy_mode": "read+send, the article's traditional way; sendfile, what transferTo becomes on Linux",
        "form": "as published (4 KiB buffer against one call for the file), or repaired (1 MiB chunks in both)",
    },
    control="equal chunks in both arms; the largest file by sendfile in equal chunks runs twice in each block (A/A)",
    measures=(
        Measure(ELAPSED, "ms", "less"),
        Measure(THROUGHPUT, "GB/s", "more", scale=1e9),
        Measure(SENDER_CPU, "sender CPU s/GB", "less"),
    ),
    falsifier="the gain of the table is still there, in full, when both arms move equally many bytes a call",
    shows="how much of the published gain belongs to the size of a call, and how much to the copies",
    shows_not="what the authors' machine did: theirs had other processors, a JVM, and a cache in an unknown state",
    counter_check=(
        'nc -lk 127.0.0.1 9000 > /dev/null & time python3 -c "import socket; '
        "s = socket.create_connection(('127.0.0.1', 9000)); f = open('file', 'rb', 0); "
        "[s.sendall(b) for b in iter(lambda: f.read(4096), b'')]\" and again with 1 << 20, and with s.sendfile(f)"
    ),
    plan=_plan,
)

"""An experiment as a value: its question, the arms that answer it, and what would prove the slogan wrong.

    EXPERIMENTS["E6"].plan(Options(is_smoke=True))  -> Plan: which arms, how often, and what opens their session

What runs it is `experiment_run`, what it found `experiment_result`. Nothing is started or measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from kfast.errors import KfastError
from kfast.lab.unavailable import Unavailable

if TYPE_CHECKING:
    from kfast.lab.experiment_result import ExperimentResult

Factor: TypeAlias = str | int | float | bool
Value: TypeAlias = float | Unavailable


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of running it. `name` is what tables say; `replicate` 1 is the same arm again: an A/A pair."""

    name: str
    factors: tuple[tuple[str, Factor], ...] = ()
    replicate: int = 0

    @classmethod
    def of(cls, name: str, **factors: Factor) -> Arm:
        return cls(name, tuple(factors.items()))

    def __getitem__(self, factor: str) -> Any:
        return dict(self.factors)[factor]

    def again(self) -> Arm:
        """The same arm a second time in each block."""
        return replace(self, replicate=1)

    def __str__(self) -> str:
        return f"{self.name} again (A/A)" if self.replicate else self.name


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of each run. `label` has its unit; `better` says which way is better for whoever runs a cluster."""

    name: str
    label: str
    better: Literal["more", "less"]
    scale: float = 1.0
    """What a stored value is divided by before it is shown with `label`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`words` say what the ratio of `over` to `under` is, so that "... : 3.1 times" makes a sentence."""

    words: str
    measure: str
    over: Arm
    under: Arm


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of one arm gives. `cpu_s` is by process; `limited_by` names what was busy, or is "none"."""

    elapsed_s: float
    cpu_s: Mapping[str, float]
    values: Mapping[str, Value]
    limited_by: str


class ArmUnavailableError(KfastError):
    """An arm that cannot be run on this machine; the message says why. The others go on."""


class Session(Protocol):
    """Runs arms, one after the other, on whatever it holds open: files, brokers, children."""

    def run(self, arm: Arm) -> Measurement:
        """One run. Raises ArmUnavailableError, or ChildError where a process has failed."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """What was the same for all arms and belongs to the result: congestion control, sync policy, sizes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an experiment is run once. `run_s` is about what a run takes, for the estimate beside the progress bar."""

    arms: Sequence[Arm]
    comparisons: Sequence[Comparison]
    block_count: int
    run_s: float
    open_session: Callable[[Path], AbstractContextManager[Session]]
    touched_bytes: int = 256 << 20
    warms_up: bool = True
    """Whether every arm is run once, unrecorded, before the first block."""
    reopens: bool = False
    """Whether each block has a session of its own. Where processes and files come to lie in memory changes what a copy
    costs by some percent, and stays as it is for as long as they live: so it must vary within a run as between two."""
    open_s: float = 2.0
    """About what opening a session takes, where that is done for each block."""

    @property
    def run_count(self) -> int:
        return len(self.arms) * (self.block_count + self.warms_up)

    @property
    def estimated_text(self) -> str:
        """How long all runs take, in words."""
        seconds = self.run_count * self.run_s
        if self.reopens:
            seconds += (self.block_count - 1) * (self.open_s + self.run_s)
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def no_sentences(result: ExperimentResult) -> Sequence[str]:
    """Of an experiment whose comparisons say it all."""
    return ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """A question put to the machine. `measures` begins with the one that the headline is about.

    `falsifier` is what would show the slogan wrong, `shows` and `shows_not` are what may and may not be concluded, and
    `counter_check` is a command outside kfast with which a sceptic checks the main number in a minute.
    """

    name: str
    slug: str
    title: str
    question: str
    factors: Mapping[str, str]
    control: str
    measures: Sequence[Measure]
    falsifier: str
    shows: str
    shows_not: str
    counter_check: str
    plan: Callable[[Options], Plan]
    takes_cluster: bool = False
    """Whether it can measure a cluster that `Options.bootstrap_servers` names."""
    own_sentences: Callable[[ExperimentResult], Sequence[str]] = no_sentences
    """What a result says beside its comparisons: what was counted and not timed, and so holds of smoke runs as well."""

    def measure(self, name: str) -> Measure:
        return next(measure for measure in self.measures if measure.name == name)


@dataclass(frozen=True, slots=True)
class Options:
    """`is_smoke`: seconds instead of minutes, to see that everything works; it finds nothing out.

    `bootstrap_servers` names another cluster, for the experiments that can measure one.
    """

    is_smoke: bool = False
    block_count: int | None = None
    bootstrap_servers: str | None = None


SMOKE_BLOCK_COUNT = 2
BLOCK_COUNT = 20


def block_count(options: Options, usual: int = BLOCK_COUNT) -> int:
    """As asked for, or as many as a full or a smoke run has. Raises ValueError for less than one."""
    if options.block_count is not None and options.block_count < 1:
        raise ValueError(f"an experiment has at least 1 block, not {options.block_count}")
    return options.block_count or (SMOKE_BLOCK_COUNT if options.is_smoke else usual)

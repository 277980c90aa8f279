"""Runs an experiment: blocks of all arms in an order drawn anew, memory touched first, what was stolen counted.

    run = ExperimentRun(EXPERIMENTS["E6"], Options(is_smoke=True))
    for block in run.blocks(): ...        each block's runs when it is through
    run.result(runs)                      of the blocks so far

A `Study` runs it in the background; `run_to_file` in the foreground, keeping each block as soon as it is complete.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

from kfast.errors import KfastError
from kfast.lab.counters import difference, machine_cpu
from kfast.lab.experiment import Arm, ArmUnavailableError, Experiment, Options, Plan, Session
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.memory import touch_memory
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.results import ResultsFile
from kfast.lab.unavailable import Unavailable

Progress = Callable[[int, int, str], None]


class EndedEarlyError(KfastError):
    """Something went wrong after some blocks were complete; the message says what, and where they are kept."""


class ExperimentRun:
    """One run of `experiment`. `blocks` may be iterated once; `result` is asked for whenever there is a block."""

    def __init__(self, experiment: Experiment, options: Options | None = None, seed: int | None = None) -> None:
        self.experiment = experiment
        self.options = options or Options()
        self.plan: Plan = experiment.plan(self.options)
        self.seed = random.SystemRandom().randrange(1 << 31) if seed is None else seed
        self._provenance: Provenance | None = None
        self._conditions: dict[str, str] = {}
        self._skipped: dict[Arm, Unavailable] = {}
        self._ran: set[Arm] = set()

    def blocks(self, progress: Progress | None = None) -> Generator[list[Run], None, None]:
        """Yield each block's runs when it is through. Files and children go when the iterator is closed."""
        order, done = random.Random(self.seed), 0
        with LabDirectory() as directory, ExitStack() as opened:
            self._provenance = provenance(directory.path, touch_memory(self.plan.touched_bytes))
            session = self._open(directory.path, opened)
            for block in range(-1 if self.plan.warms_up else 0, self.plan.block_count):
                touch_memory(self.plan.touched_bytes)
                arms, runs = order.sample(list(self.plan.arms), len(self.plan.arms)), []
                if self.plan.reopens and block > 0:
                    opened.close()
                    session = self._open(directory.path, opened)
                    self._run_arm(session, arms[0], block)  # unrecorded: new processes do everything for the first time
                for arm in arms:
                    run = self._run_arm(session, arm, block)
                    runs += [run] if run else []
                    done += 1
                    if progress:
                        progress(done, self.plan.run_count, str(arm))
                if block >= 0:
                    yield runs

    def _open(self, directory: Path, opened: ExitStack) -> Session:
        session = opened.enter_context(self.plan.open_session(directory))
        self._conditions = {**session.conditions, "blocks planned": str(self.plan.block_count)}
        if self.plan.reopens:
            self._conditions["session"] = "files, processes and connections made anew for each block"
        return session

    def _run_arm(self, session: Session, arm: Arm, block: int) -> Run | None:
        """One run, or None for an arm that cannot be run here, with its reason noted once."""
        if arm in self._skipped:
            return None
        before = machine_cpu()
        try:
            measurement = session.run(arm)
        except ArmUnavailableError as error:
            if arm not in self._ran:  # one that was recorded before lacks this block only
                self._skipped[arm] = Unavailable(str(error))
            return None
        if block >= 0:
            self._ran.add(arm)
        return Run(block, arm, measurement, difference(machine_cpu(), before))

    def run(self, progress: Progress | None = None) -> ExperimentResult:
        """Run all blocks, kept in no file. `progress(done, total, words)` is told of each run."""
        return self.result([run for block in self.blocks(progress) for run in block])

    def result(self, runs: Sequence[Run]) -> ExperimentResult:
        """The result of the blocks `blocks` has handed out so far."""
        assert self._provenance is not None, "no block has run"
        return ExperimentResult(
            name=self.experiment.name,
            arms=tuple(self.plan.arms),
            comparisons=tuple(self.plan.comparisons),
            runs=tuple(runs),
            skipped=tuple(self._skipped.items()),
            provenance=self._provenance,
            conditions=self._conditions,
            seed=self.seed,
            is_smoke=self.options.is_smoke,
        )


def run_to_file(
    run: ExperimentRun, directory: Path | None = None, progress: Progress | None = None
) -> tuple[ExperimentResult, Path] | None:
    """Run all blocks, each kept in a new file of `directory` when it is complete; return the result and the file.

    Ctrl-C ends it early and keeps what is complete; None where that is nothing. Raises EndedEarlyError where a later
    block failed, and whatever the first block failed with.
    """
    runs: list[Run] = []
    file: ResultsFile | None = None
    blocks = run.blocks(progress)
    try:
        for block in blocks:
            result = run.result([*runs, *block])
            file = file or ResultsFile(result, run.experiment.slug, directory)
            file.add(block, result.skipped)
            runs += block
    except KeyboardInterrupt:
        pass
    except (KfastError, OSError) as error:
        if file is None or not runs:
            raise
        kept = len({one.block for one in runs})
        raise EndedEarlyError(f"{error}; the {kept} blocks before it are kept in {file.path}") from error
    finally:
        blocks.close()
    return (run.result(runs), file.path) if file is not None and runs else None

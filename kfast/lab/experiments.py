"""All experiments, by name. To add one: a module with its `Experiment`, and a line here."""

from __future__ import annotations

from typing import Final

from kfast.errors import KfastError
from kfast.lab.ablation import ABLATION
from kfast.lab.append_order import APPEND_ORDER
from kfast.lab.batching import BATCHING
from kfast.lab.beside_kafka import BESIDE_KAFKA
from kfast.lab.cold_reader import COLD_READER
from kfast.lab.copy_cost import COPY_COST
from kfast.lab.crash_cost import CRASH_COST
from kfast.lab.experiment import Experiment, Options
from kfast.lab.ibm_table import IBM_TABLE
from kfast.lab.read_order import READ_ORDER
from kfast.lab.tls_cost import TLS_COST
from kfast.lab.zero_copy_proof import ZERO_COPY_PROOF

EXPERIMENTS: Final[dict[str, Experiment]] = {
    experiment.name: experiment
    for experiment in (
        ZERO_COPY_PROOF,
        COPY_COST,
        IBM_TABLE,
        APPEND_ORDER,
        READ_ORDER,
        BATCHING,
        COLD_READER,
        TLS_COST,
        CRASH_COST,
        ABLATION,
        BESIDE_KAFKA,
    )
}


class UnknownExperimentError(KfastError, ValueError):
    """A name that no experiment has; the message lists those there are."""


def find_experiment(name: str) -> Experiment:
    """By its name (E6, e6) or its slug (batching). Raises UnknownExperimentError."""
    for experiment in EXPERIMENTS.values():
        if name.lower() in (experiment.name.lower(), experiment.slug):
            return experiment
    known = ", ".join(f"{experiment.name} {experiment.slug}" for experiment in EXPERIMENTS.values())
    raise UnknownExperimentError(f"there is no experiment {name!r}; there are {known}")


def list_line(experiment: Experiment) -> str:
    """One line for `kfast experiment list`: what it asks, and how long it takes."""
    full, smoke = (experiment.plan(Options(is_smoke=is_smoke)).estimated_text for is_smoke in (False, True))
    return (
        f"{experiment.name:<4} {experiment.slug:<16} {experiment.title} {experiment.question} "
        f"({full}; smoke run {smoke})"
    )

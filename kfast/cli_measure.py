"""The commands that measure: `kfast bench` for a figure in a minute, `kfast experiment` for an answer with evidence."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kfast.cli_parser import add_command, say

ENDED_EARLY = 130  # as a shell says it of what Ctrl-C has ended


def add_commands(commands: Any) -> None:
    """Add `bench` and `experiment` to the parser of `kfast`."""
    _add_bench(commands)
    _add_experiment(commands)


def _add_experiment(commands: Any) -> None:
    parser = add_command(
        commands,
        "experiment",
        _list_experiments,
        "run the experiments that answer why Kafka is fast, and keep what they find",
        "  kfast experiment list           what there is, and how long it takes\n"
        "  kfast experiment run E6 --smoke seconds: shows that it works, finds nothing out\n"
        "  kfast experiment run batching   minutes; Ctrl-C keeps the blocks that are complete\n"
        "  kfast experiment run E11 --bootstrap-server localhost:9092",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_command(actions, "list", _list_experiments, "list the experiments", "  kfast experiment list")
    run = add_command(
        actions,
        "run",
        _run_experiment,
        "run one experiment; its runs go to ./kfast-results, or to $KFAST_RESULTS",
        "  kfast experiment run E6\n  kfast experiment run batching --blocks 40 --results ~/kafka-results",
    )
    run.add_argument("name", metavar="NAME", help="E6 or batching: see kfast experiment list")
    run.add_argument("--smoke", action="store_true", help="small and short, and marked so: no finding")
    run.add_argument("--blocks", type=int, metavar="N", help="how often every arm is run; default: 20")
    run.add_argument("--results", type=Path, metavar="DIR", help="default: $KFAST_RESULTS, or ./kfast-results")
    run.add_argument("--bootstrap-server", metavar="HOST:PORT", help="another cluster, where an experiment takes one")


def _list_experiments(_: argparse.Namespace) -> int:
    from kfast.lab.experiments import EXPERIMENTS, list_line

    for experiment in EXPERIMENTS.values():
        say(list_line(experiment))
    return 0


def _run_experiment(options: argparse.Namespace) -> int:
    from kfast.lab.experiment import Options
    from kfast.lab.experiment_findings import report_lines
    from kfast.lab.experiment_run import ExperimentRun, run_to_file
    from kfast.lab.experiments import find_experiment
    from kfast.lab.progress import ProgressMeter

    experiment = find_experiment(options.name)
    if options.bootstrap_server and not experiment.takes_cluster:
        raise ValueError(f"{experiment.name} measures processes of its own; it takes no --bootstrap-server")
    run = ExperimentRun(experiment, Options(options.smoke, options.blocks, options.bootstrap_server))
    say(f"{experiment.name} {experiment.title} {run.plan.run_count} runs, about {run.plan.estimated_text}.")
    with _sigterm_as_ctrl_c(), ProgressMeter(f"kfast experiment {experiment.name}", sys.stderr) as progress:
        kept = run_to_file(run, options.results, progress)
    if kept is None:
        say("Ended before the first block was complete: nothing is kept.")
        return ENDED_EARLY
    result, path = kept
    for line in report_lines(experiment, result):
        say(line)
    kept_count = len({one.block for one in result.runs})
    say(f"{kept_count} of {run.plan.block_count} blocks are kept in {path}")
    return 0 if kept_count == run.plan.block_count else ENDED_EARLY


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let kill(1) end a measurement as Ctrl-C does: its files and children go, and an experiment's blocks are kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _add_bench(commands: Any) -> None:
    parser = add_command(
        commands,
        "bench",
        _bench,
        "measure copy modes, order of access and the log on this machine, and any Kafka cluster",
        "  kfast bench copy                what each copy mode costs, beside a bare sendfile loop\n"
        "  kfast bench io --blocks 10      in order and at random, with the sync policy named\n"
        "  kfast bench log --json          append, look-up, recovery and compaction, beside bare loops\n"
        "  kfast bench produce --bootstrap-server localhost:9092 --num-records 1000000",
    )
    experiments = parser.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
    _add_bench_of(experiments, "copy", "measure what each copy mode costs the sender in chunks of 4 KiB to 4 MiB")
    _add_bench_of(experiments, "io", "measure reads and writes in order and at random, in blocks of 4 KiB to 1 MiB")
    _add_bench_of(experiments, "log", "measure what the log adds to bare loops: append, look-up, recovery, compaction")
    _add_bench_produce(experiments)
    _add_bench_consume(experiments)


def _add_bench_of(experiments: Any, name: str, about: str) -> None:
    parser = add_command(
        experiments,
        name,
        _bench,
        about,
        f"  kfast bench {name}\n"
        f"  kfast bench {name} --blocks 40 --json > {name}.json    every run, with the machine and the conditions\n"
        f"  kfast bench {name} --smoke                         seconds: shows that it works, measures nothing",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object: summaries, single runs, provenance")
    parser.add_argument("--blocks", type=int, metavar="N", help="how often every arm is run; default: 20")
    parser.add_argument("--smoke", action="store_true", help="small and short, and marked so: no finding")


def _bench(options: argparse.Namespace) -> int:
    import json

    from kfast.lab import bench
    from kfast.lab.progress import ProgressMeter
    from kfast.lab.results import to_json

    run, lines = bench.EXPERIMENTS[options.experiment]
    with _sigterm_as_ctrl_c(), ProgressMeter(f"kfast bench {options.experiment}", sys.stderr) as progress:
        result = run(options.blocks, options.smoke, progress)
    if options.json:
        print(json.dumps(to_json(result)))
        return 0
    for line in lines(result):
        print(line)
    return 0


def _add_bench_produce(experiments: Any) -> None:
    parser = add_command(
        experiments,
        "produce",
        _bench_produce,
        "measure producing to a Kafka cluster, in the lines of kafka-producer-perf-test",
        "  kfast bench produce             to a broker of its own\n"
        "  kfast bench produce --bootstrap-server localhost:9092 --topic t --batch-records 1 --throughput 5000\n"
        "  kfast bench produce --client confluent --compression zstd --acks 1",
    )
    _add_cluster_arguments(parser)
    parser.add_argument("--record-size", type=int, default=100, metavar="BYTES", help="default: %(default)s")
    parser.add_argument("--batch-records", type=int, metavar="N", help="default: what 16 KiB hold (Kafka's batch.size)")
    parser.add_argument(
        "--throughput", type=float, default=-1, metavar="N", help="records a second; default: as many as possible"
    )
    parser.add_argument("--acks", choices=("all", "-1", "0", "1"), default="all", help="default: %(default)s")
    parser.add_argument("--compression", choices=("none", "gzip", "snappy", "lz4", "zstd"), default="none")


def _add_bench_consume(experiments: Any) -> None:
    parser = add_command(
        experiments,
        "consume",
        _bench_consume,
        "measure consuming from a Kafka cluster, in the lines of kafka-consumer-perf-test",
        "  kfast bench consume             from a broker of its own, which is filled first\n"
        "  kfast bench consume --bootstrap-server localhost:9092 --topic t --show-detailed-stats",
    )
    _add_cluster_arguments(parser)
    parser.add_argument("--fetch-size", type=int, default=1 << 20, metavar="BYTES", help="default: %(default)s")
    parser.add_argument(
        "--show-detailed-stats", action="store_true", help="a line every five seconds instead of one at the end"
    )


def _add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bootstrap-server", metavar="HOST:PORT", help="any cluster; default: a broker of its own")
    parser.add_argument("--topic", default="kfast-bench", help="partition 0 of it is used; default: %(default)s")
    parser.add_argument("--num-records", type=int, default=1_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--client",
        choices=("raw", "confluent"),
        default="raw",
        help="raw makes no records, so that the broker is measured; confluent is librdkafka; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _bench_produce(options: argparse.Namespace) -> int:
    import json

    from kfast.client import perf
    from kfast.lab.bench_cluster import bench_cluster

    with bench_cluster(options.bootstrap_server, options.num_records * options.record_size) as servers:
        result = perf.produce(
            servers,
            options.topic,
            record_count=options.num_records,
            record_size=options.record_size,
            batch_records=options.batch_records,
            records_per_s=None if options.throughput < 0 else options.throughput,
            acks=-1 if options.acks == "all" else int(options.acks),
            compression=options.compression,
            client=options.client,
            report=_ignore if options.json else say,
        )
    print(json.dumps(result.as_json()) if options.json else result)
    return 0


def _bench_consume(options: argparse.Namespace) -> int:
    import json

    from kfast.client import perf
    from kfast.lab.bench_cluster import bench_cluster

    is_detailed = options.show_detailed_stats and not options.json
    with bench_cluster(options.bootstrap_server, options.num_records * perf.FILL_RECORD_SIZE) as servers:
        if options.bootstrap_server is None:
            perf.fill(servers, options.topic, options.num_records)
        if not options.json:
            print(perf.DETAILED_CONSUMER_HEADER if is_detailed else perf.CONSUMER_HEADER, flush=True)
        result = perf.consume(
            servers,
            options.topic,
            record_count=options.num_records,
            fetch_bytes=options.fetch_size,
            client=options.client,
            detailed=say if is_detailed else None,
        )
    if not is_detailed:
        print(json.dumps(result.as_json()) if options.json else result)
    return 0


def _ignore(_: str) -> None:
    """For lines of progress that nobody wants."""

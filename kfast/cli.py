"""The command `kfast`: parse the arguments, call one function each; what costs is imported by its command alone."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kfast import cli_measure
from kfast.cli_parser import add_command, say
from kfast.errors import KfastError

# Those of kfast.transfer.modes, which the help of a command need not import.
COPY_MODES = ("read_send", "mmap_send", "sendfile", "splice")

KAFKAS_OPTIONS = {
    "--files": "kfast dump-log takes paths without an option",
    "--print-data-log": "kfast dump-log --deep",
    "--deep-iteration": "kfast dump-log --deep",
    "--skip-record-metadata": "kfast dump-log --json, and jq",
    "--index-sanity-check": "kfast dump-log --verify-index-only",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 1 when it failed, 2 for arguments that make no sense."""
    parser = _parser()
    parsed, rest = _split_rest(list(sys.argv[1:] if arguments is None else arguments))
    options, unknown = parser.parse_known_args(parsed)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown)}")
    options.rest = rest
    if rest and options.command != "lab":
        parser.error(f"arguments after -- go on to JupyterLab, and {options.command} starts none: {' '.join(rest)}")
    try:
        return int(options.function(options))
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KfastError, OSError, ValueError) as error:
        print(f"kfast {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _hint(unknown: Sequence[str]) -> str:
    """What kfast calls the options of Kafka's DumpLogSegments among these."""
    names = dict.fromkeys(argument.partition("=")[0] for argument in unknown)
    return "".join(f"; for {name}: {KAFKAS_OPTIONS[name]}" for name in names if name in KAFKAS_OPTIONS)


def _split_rest(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    position = arguments.index("--")
    return arguments[:position], arguments[position + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kfast",
        description="Why is Kafka fast? A segment log and a zero-copy broker to run, read and measure.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_lab(commands)
    _add_serve(commands)
    cli_measure.add_commands(commands)
    _add_dump_log(commands)
    _add_graduate(commands)
    _add_doctor(commands)
    return parser


def _add_lab(commands: Any) -> None:
    parser = add_command(
        commands,
        "lab",
        _lab,
        "open the notebooks in JupyterLab",
        "  kfast lab                       in a checkout its notebooks/, elsewhere a copy in ./kfast-notebooks\n"
        "  kfast lab ~/kafka               a copy there; notebooks that are there already are left alone\n"
        "  kfast lab -- --no-browser       what follows -- goes on to JupyterLab",
    )
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="where to copy the notebooks to")


def _lab(options: argparse.Namespace) -> int:
    from kfast.lab.notebooks import open_lab

    open_lab(options.directory, options.rest, say)
    return 0  # only where a test keeps it from becoming JupyterLab


def _add_serve(commands: Any) -> None:
    parser = add_command(
        commands,
        "serve",
        _serve,
        "run a Kafka broker in the foreground",
        "  kfast serve\n"
        "  kfast serve --data-dir ~/kafka-data --config num.partitions=3\n"
        "  kfast serve --listen 127.0.0.1:0 --copy-mode read_send     port 0 takes a free one\n"
        "  kfast serve --listen SSL://127.0.0.1:9093                  encrypts, with a certificate made on the fly",
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:9092", metavar="HOST:PORT", help="SSL:// before it: TLS; default: %(default)s"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="default: a temporary one, removed at the end")
    parser.add_argument("--copy-mode", choices=COPY_MODES, help="how fetches are served; default: sendfile")
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a broker setting that kfast has, named as in server.properties; may be given many times",
    )


def _serve(options: argparse.Namespace) -> int:
    import logging

    from kfast.broker.serve import serve
    from kfast.cli_recovery import recovery_bar

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with recovery_bar(sys.stderr):
            serve(options.listen, options.data_dir, options.copy_mode, _key_values(options.config), _print_ready)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES) or error.filename is not None:
            raise
        reason = os.strerror(error.errno)
        raise OSError(f"cannot listen on {options.listen}: {reason}; --listen takes another address") from error
    return 0


def _print_ready(broker: Any) -> None:
    trusted = "" if broker.ssl_ca_location is None else f" ssl.ca.location={broker.ssl_ca_location}"
    kept = "" if broker.keeps_data else " (removed at the end; --data-dir keeps it)"
    print(
        f"kfast is ready: bootstrap.servers={broker.bootstrap_servers}{trusted} copy mode {broker.copy_mode}, "
        f"data in {broker.data_dir}{kept}",
        flush=True,
    )


def _key_values(texts: Sequence[str]) -> dict[str, str]:
    config = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ValueError(f"--config takes KEY=VALUE, such as num.partitions=3, not {text!r}")
        config[key.strip()] = value.strip()
    return config


def _add_dump_log(commands: Any) -> None:
    parser = add_command(
        commands,
        "dump-log",
        _dump_log,
        "show and check the files of a log directory, kfast's or Apache Kafka's",
        "  kfast dump-log ~/kafka-data                               every file, and a summary for each directory\n"
        "  kfast dump-log --deep ~/kafka-data/__cluster_metadata-0   each record too, and what it says\n"
        "  kfast dump-log --json orders-0 | jq 'select(.type == \"batch\") | .count'\n"
        "  kfast dump-log --verify-index-only ~/kafka-data           indexes against their logs, and what is wrong\n"
        "  kfast dump-log --offsets-decoder 00000000000000000000.log",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, a partition or a log directory")
    parser.add_argument("--deep", action="store_true", help="print the records of each batch")
    parser.add_argument("--verify-index-only", action="store_true", help="check the indexes, print what is wrong")
    for option, topic in (
        ("--cluster-metadata-decoder", "__cluster_metadata"),
        ("--offsets-decoder", "__consumer_offsets"),
        ("--transaction-log-decoder", "__transaction_state"),
    ):
        about = f"take segments for those of {topic}, whatever directory they lie in; implies --deep"
        parser.add_argument(option, dest="topic", action="store_const", const=topic, help=about)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line; keys, values and those of headers are base64"
    )


def _dump_log(options: argparse.Namespace) -> int:
    import json

    from kfast.log.dump import dump, is_invalid, to_line
    from kfast.log.dump_records import DECODERS

    has_invalid, file = False, None
    decoder = DECODERS.get(options.topic)
    is_deep = options.deep or decoder is not None
    for entry in dump(options.paths, is_deep, decoder=decoder, indexes_only=options.verify_index_only):
        has_invalid |= is_invalid(entry)
        if options.json:
            print(json.dumps(entry))
            continue
        if entry["type"] != "record" and entry.get("file") != file:
            file = entry.get("file")
            if file is not None:
                print(f"{file}:")
        print(to_line(entry))
    return int(has_invalid)


def _add_graduate(commands: Any) -> None:
    parser = add_command(
        commands,
        "graduate",
        _graduate,
        "check a stopped broker's directory, and print the server.properties to start Apache Kafka on it with",
        "  kfast graduate ~/kafka-data > server.properties           what is printed is the whole file\n"
        "  kfast graduate ~/kafka-data --write-config server.properties\n"
        "  kfast graduate ~/kafka-data --listen 0.0.0.0:9092 --config num.partitions=3",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="a log directory; nothing in it is changed")
    parser.add_argument(
        "--listen", default="127.0.0.1:9092", metavar="HOST:PORT", help="for clients; default: %(default)s"
    )
    parser.add_argument(
        "--controller-listen", default="127.0.0.1:9093", metavar="HOST:PORT", help="default: %(default)s"
    )
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting kfast serve was started with; Kafka's others are added to the file by hand",
    )
    parser.add_argument("--write-config", type=Path, metavar="FILE", help="write it there; an existing file stays")


def _graduate(options: argparse.Namespace) -> int:
    from kfast.broker.graduation import graduate
    from kfast.cli_recovery import check_bar
    from kfast.clock import SystemClock

    config = _key_values(options.config)
    if options.write_config is not None and options.write_config.exists():
        raise ValueError(f"{options.write_config} exists, and stays as it is; name a file that does not")
    with check_bar(sys.stderr, SystemClock()) as progress:
        found = graduate(options.directory, options.listen, options.controller_listen, config, progress)
    if options.write_config is None:
        print(found.text(), end="")
        return 0
    with options.write_config.open("x") as file:
        file.write(found.text(str(options.write_config)))
    print(f"{options.write_config} is written; start Kafka with: bin/kafka-server-start.sh {options.write_config}")
    return 0


def _add_doctor(commands: Any) -> None:
    parser = add_command(
        commands,
        "doctor",
        _doctor,
        "say what this machine can do: copy modes, collectors, versions",
        "  kfast doctor\n  kfast doctor --json",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _doctor(options: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from kfast.lab.doctor import examine

    findings = examine()
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return 0
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{'yes' if finding.is_available else 'no ':<4} {finding.name:<{width}}  {finding.detail}")
    return 0

"""What the commands share: how one is added, with its help and examples, and how a line is printed."""

from __future__ import annotations

import argparse
from typing import Any


def add_command(commands: Any, name: str, function: Any, about: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(function=function, parser=parser)
    return parser


def say(line: str) -> None:
    """Print a line that is wanted now, also where output is kept in a buffer."""
    print(line, flush=True)

"""What `kfast doctor` found, as a table a notebook shows: what is there, what is not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from kfast.lab.doctor import Finding

_CELL = "text-align:left;vertical-align:top;padding:2px 14px 2px 0"


@dataclass(frozen=True, slots=True)
class FindingsTable:
    """Findings in the order they were made; `str` gives the same in plain text."""

    findings: Sequence[Finding]

    def sentence(self) -> str:
        """How much is there."""
        missing = [finding.name for finding in self.findings if not finding.is_available]
        there = len(self.findings) - len(missing)
        if not missing:
            return f"All {there} things are there."
        return f"{there} of {len(self.findings)} things are there; not there: {', '.join(missing)}."

    def _repr_html_(self) -> str:
        rows = "".join(_row(finding) for finding in self.findings)
        head = "".join(
            f'<th scope="col" style="{_CELL}">{name}</th>' for name in ("", "what", "what it is, or why not")
        )
        caption = f'<caption style="text-align:left">{escape(self.sentence())}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def __str__(self) -> str:
        width = max((len(finding.name) for finding in self.findings), default=0)
        lines = (f"{_mark(finding):<4}{finding.name:<{width}}  {finding.detail}" for finding in self.findings)
        return "\n".join([*lines, self.sentence()])

    __repr__ = __str__


def _row(finding: Finding) -> str:
    weight = "" if finding.is_available else ";font-weight:bold"
    name = escape(finding.name)
    return (
        f'<tr><td style="{_CELL}{weight}">{_mark(finding)}</td><th scope="row" style="{_CELL}">{name}</th>'
        f'<td style="{_CELL}">{escape(finding.detail)}</td></tr>'
    )


def _mark(finding: Finding) -> str:
    return "yes" if finding.is_available else "no"

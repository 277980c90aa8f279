"""The conditions of a measurement in two lines: machine, date, and where the data lay. No name of a user or a host."""

from __future__ import annotations

from kfast.lab.lab_directory import lab_parent
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable


def machine_lines() -> list[str]:
    """The same of this moment, for the head of a notebook."""
    return condition_lines(provenance(lab_parent()))


def condition_lines(found: Provenance) -> list[str]:
    """What stands above a table of numbers; everything else is in the provenance itself."""
    commit = f"kfast {found.versions['kfast']}"
    if not isinstance(found.commit, Unavailable):
        commit += f" at {found.commit}{' with changes' if found.is_dirty else ''}"
    touched = f"; {size_text(found.touched_memory_bytes)} of memory touched first" if found.touched_memory_bytes else ""
    return [
        f"{found.measured_at}, {found.cpu_count} x {found.cpu}, {found.kernel}, "
        f"load average {found.load_average:.2f}, {commit}.",
        f"Data on {found.filesystem}, {found.device}{touched}.",
    ]

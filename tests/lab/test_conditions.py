from dataclasses import replace

from kfast.lab.conditions import condition_lines, machine_lines
from kfast.lab.memory import TouchedMemory
from kfast.lab.provenance import provenance
from kfast.lab.unavailable import Unavailable


def test_machine_date_and_place_are_named_and_no_path(disk_directory):
    found = provenance(disk_directory, TouchedMemory(1 << 20))
    machine, place = condition_lines(replace(found, commit="0123456789ab", is_dirty=True))
    assert machine.startswith(found.measured_at)
    assert found.kernel in machine
    assert machine.endswith("at 0123456789ab with changes.")
    assert place.endswith("1 MiB of memory touched first.")
    assert str(disk_directory) not in machine + place


def test_what_is_not_known_is_left_out_or_says_so(disk_directory):
    found = replace(provenance(disk_directory), commit=Unavailable("not a git checkout"), device=Unavailable("none"))
    machine, place = condition_lines(found)
    assert machine.endswith(f"kfast {found.versions['kfast']}.")
    assert "unavailable: none" in place
    assert "touched" not in place


def test_a_notebook_begins_with_them():
    assert len(machine_lines()) == 2

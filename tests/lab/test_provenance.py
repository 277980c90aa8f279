import json

import pytest

from kfast.lab import provenance as module
from kfast.lab.memory import TouchedMemory
from kfast.lab.provenance import last_level_cache_size, provenance
from kfast.lab.results import as_json
from kfast.lab.unavailable import Unavailable


def test_every_field_is_a_value_or_a_reason(disk_directory):
    found = as_json(provenance(disk_directory, TouchedMemory(123)))
    assert found["touched_memory_bytes"] == 123
    assert found["cpu_count"] >= 1
    assert found["versions"]["kfast"] != "not installed"
    assert None not in found.values()
    assert json.loads(json.dumps(found)) == found


def test_nothing_in_it_names_a_folder(disk_directory):
    assert str(disk_directory.parent) + "/" not in json.dumps(as_json(provenance(disk_directory)))


def test_outside_a_checkout_the_commit_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr(module.kfast, "__file__", str(tmp_path / "site-packages/kfast/__init__.py"))
    found = provenance(tmp_path)
    assert found.commit == Unavailable("not a git checkout")
    assert found.is_dirty == Unavailable("not a git checkout")


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    for index, (level, kind, size) in enumerate([(1, "Data", "48K"), (1, "Instruction", "32K"), (3, "Unified", "30M")]):
        cache = tmp_path / f"cpu0/cache/index{index}"
        cache.mkdir(parents=True)
        (cache / "level").write_text(f"{level}\n")
        (cache / "type").write_text(f"{kind}\n")
        (cache / "size").write_text(f"{size}\n")
    monkeypatch.setattr(module, "CPU", tmp_path)
    return tmp_path


def test_caches_in_bytes_by_name(cpu):
    assert module.cpu_caches() == {"L1d": 48 << 10, "L1i": 32 << 10, "L3": 30 << 20}
    assert last_level_cache_size() == 30 << 20


def test_a_machine_that_lists_no_cache_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CPU", tmp_path)
    assert isinstance(last_level_cache_size(), Unavailable)

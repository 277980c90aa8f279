import itertools

import pytest

from kfast.viz.controls import BATCH_RECORDS, Controls, change_label
from kfast.viz.dashboard import DEFAULTS

MODES = ("read_send", "mmap_send", "sendfile", "splice")


@pytest.fixture
def controls():
    return Controls(DEFAULTS, MODES)


def note(controls, name):
    return controls._notes[name].value


def test_batch_sizes_are_the_powers_of_two_up_to_16384():
    assert BATCH_RECORDS[0] == 1
    assert BATCH_RECORDS[-1] == 16384
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(BATCH_RECORDS))


def test_first_row_holds_batch_size_and_copy_mode_and_the_rest_is_closed(controls):
    shown = [box.children[0].description for box in controls.first_row.children]
    assert shown == ["Batch size", "Copy mode"]
    assert controls.more.selected_index is None
    hidden = [box.children[0].description for box in controls.more.children[0].children]
    assert sorted(hidden) == [
        "Client",
        "Compression",
        "Consumers",
        "Fetch size",
        "Flush",
        "Receiver",
        "Record size",
        "Workload",
    ]


def test_a_moved_control_is_taken_once_with_its_newest_value(controls):
    slider = controls._widgets["batch_records"]
    slider.value = 64
    slider.value = 128
    controls._widgets["copy_mode"].value = "read_send"
    assert controls.take_changes() == {"batch_records": 128, "copy_mode": "read_send"}
    assert controls.take_changes() == {}


def test_the_code_twin_moves_the_control(controls):
    controls.set(batch_records=16, copy_mode="splice")
    assert controls._widgets["batch_records"].value == 16
    assert controls.values["copy_mode"] == "splice"
    assert controls.take_changes() == {"batch_records": 16, "copy_mode": "splice"}


@pytest.mark.parametrize("settings", [{"batch_records": 3}, {"copy_mode": "teleport"}, {"speed": 1}])
def test_what_cannot_be_set_is_refused_and_nothing_else_is_set(controls, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        controls.set(record_size=10, **settings)
    assert controls.take_changes() == {}


def test_every_control_has_its_value_in_words_beside_it(controls):
    for name in DEFAULTS:
        before = note(controls, name)
        assert before
    controls.set(batch_records=4096)
    assert "4,096 records of 100 B a batch" in note(controls, "batch_records")
    controls.set(copy_mode="mmap_send")
    assert "page faults" in note(controls, "copy_mode")
    controls.set(record_size=1024)
    assert "4,096 records of 1 KiB a batch" in note(controls, "batch_records")


def test_raw_clients_are_said_to_leave_out_their_own_cost(controls):
    assert "left out" in note(controls, "batch_records")
    controls.set(client="confluent")
    assert "left out" not in note(controls, "batch_records")


def test_a_mode_this_machine_does_not_have_is_not_offered():
    controls = Controls(DEFAULTS, ("read_send", "sendfile"))
    assert [value for _, value in controls._widgets["copy_mode"].options] == ["read_send", "sendfile"]


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("copy_mode", "read_send", "read+send"),
        ("batch_records", 16384, "batch 16,384"),
        ("fetch_bytes", 1 << 20, "fetch 1 MiB"),
        ("record_size", 100, "record 100 B"),
        ("consumer_count", 3, "3 consumers"),
        ("workload", "reread", "re-read"),
        ("client", "confluent", "confluent-kafka"),
        ("compression", "zstd", "zstd"),
    ],
)
def test_labels_of_changes_are_short(name, value, label):
    assert change_label(name, value) == label

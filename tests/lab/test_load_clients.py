import pytest

import kfast
from kfast.child_process import ChildError
from kfast.client.cluster import create_topic
from kfast.lab import load_clients as module
from kfast.lab.load_clients import load_clients


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    children = []

    class Noted(module.ChildProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            children.append(self)

    monkeypatch.setattr(module, "ChildProcess", Noted)
    return children


@pytest.fixture(scope="module")
def settings():
    with kfast.Broker() as broker:
        create_topic(broker.bootstrap_servers, "orders")
        yield {"kind": "produce", "bootstrap_servers": broker.bootstrap_servers, "topic": "orders"}


def test_clients_are_processes_with_names_and_end_with_the_block(settings, started):
    with load_clients({"one": settings, "other": settings}) as clients:
        assert set(clients) == {"one", "other"}
        assert set(clients.values()) == set(started)
        assert all(client.ask("metrics")["records"] >= 0 for client in clients.values())
    assert not any(client.is_running for client in started)


def test_where_one_cannot_start_its_words_are_told_and_the_others_end(settings, started):
    with (
        pytest.raises(ChildError, match="a load is one of"),
        load_clients({"one": settings, "other": {**settings, "kind": "juggle"}}),
    ):
        pass
    assert len(started) == 1
    assert not started[0].is_running

from pathlib import Path

import pytest

import kfast
from kfast.broker.broker import parse_listen
from kfast.broker.group_member import Joiner
from kfast.errors import (
    CoordinatorNotAvailableError,
    InvalidConfigError,
    KafkaStorageError,
    LogDirectoryError,
    UnknownTopicOrPartitionError,
)
from kfast.record.builder import RecordBatchBuilder


def batch() -> bytearray:
    builder = RecordBatchBuilder()
    builder.append(None, b"x", 1)
    return builder.build()


def test_a_broker_is_ready_when_made_and_gone_when_left() -> None:
    with kfast.Broker() as broker:
        assert broker.bootstrap_servers == f"127.0.0.1:{broker.port}"
        assert broker.data_dir.is_dir()
        assert not broker.keeps_data
    assert not broker.data_dir.exists()
    broker.stop()


def test_a_group_that_is_asked_for_while_the_broker_stops_lets_nobody_wait() -> None:
    with kfast.Broker(config={"group.initial.rebalance.delay.ms": "60000"}) as broker:
        broker.is_stopping = True
        joiner = Joiner("", "m-1", None, "c", "/127.0.0.1", 10_000, 60_000, "consumer", (("range", b""),))
        assert broker.groups.join("g", joiner).error_code == CoordinatorNotAvailableError.error_code
        broker.is_stopping = False


def test_two_brokers_live_side_by_side() -> None:
    with kfast.Broker() as one, kfast.Broker() as other:
        assert one.port != other.port
        assert one.cluster_id != other.cluster_id


def test_records_are_there_after_a_restart(tmp_path: Path) -> None:
    with kfast.Broker(tmp_path) as broker:
        broker.metadata.create_topic("orders", 1)
        broker.log("orders", 0).append(batch())
        cluster_id = broker.cluster_id
    with kfast.Broker(tmp_path) as broker:
        assert broker.cluster_id == cluster_id
        assert broker.log("orders", 0).log_end_offset == 1


def test_a_stop_goes_on_to_its_end_where_a_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(what: str) -> None:
        raise KafkaStorageError(f"{what} cannot be written")

    broker = kfast.Broker(tmp_path)
    broker.metadata.create_topic("orders", 1)
    log = broker.log("orders", 0)
    log.append(batch())
    monkeypatch.setattr(broker.metadata, "close", lambda: fail("the metadata"))
    monkeypatch.setattr(broker.logs._checkpoints, "write", lambda _: fail("a checkpoint"))
    with pytest.raises(KafkaStorageError, match="the metadata cannot be written"):
        broker.stop()
    assert "a checkpoint cannot be written" in caplog.text
    assert "Traceback" not in caplog.text
    assert log.recovery_point == 1
    broker.stop()
    with kfast.Broker(tmp_path) as broker:
        assert broker.log("orders", 0).log_end_offset == 1


def test_a_directory_in_use_is_refused_in_one_line_and_the_port_is_free_again(tmp_path: Path) -> None:
    with kfast.Broker(tmp_path), pytest.raises(LogDirectoryError, match=str(tmp_path)) as refused:
        kfast.Broker(tmp_path)
    assert "\n" not in str(refused.value)
    with kfast.Broker(tmp_path) as again:
        assert again.port


def test_a_foreign_directory_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(LogDirectoryError, match=r"thesis\.txt"):
        kfast.Broker(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_taken_port_is_an_os_error(tmp_path: Path) -> None:
    with kfast.Broker() as broker, pytest.raises(OSError, match="in use"):
        kfast.Broker(tmp_path / "other", listen=broker.bootstrap_servers)
    assert not (tmp_path / "other").exists()


def test_settings_are_checked_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="zero_copy"):
        kfast.Broker(tmp_path / "data", copy_mode="zero_copy")
    with pytest.raises(InvalidConfigError, match=r"no\.such\.key"):
        kfast.Broker(tmp_path / "data", config={"no.such.key": "1"})
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("listen", "advertised"), [("SSL://127.0.0.1:0", "PLAINTEXT://host:9092"), ("127.0.0.1:0", "SSL://host:9093")]
)
def test_clients_are_sent_to_the_listener_there_is(tmp_path: Path, listen: str, advertised: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"advertised.listeners={advertised} .* listens on {listen} as "):
        kfast.Broker(tmp_path / "data", listen=listen, config={"advertised.listeners": advertised})
    assert not (tmp_path / "data").exists()


def test_the_copy_mode_can_be_changed_while_it_runs() -> None:
    with kfast.Broker(copy_mode="read_send") as broker:
        assert broker.copy_mode == "read_send"
        broker.copy_mode = "splice"
        assert broker.copy_mode == broker.config.transfer_settings.copy_mode == "splice"
        with pytest.raises(InvalidConfigError):
            broker.copy_mode = "teleport"
        assert broker.copy_mode == "splice"


def test_the_copy_mode_is_not_persisted(tmp_path: Path) -> None:
    with kfast.Broker(tmp_path) as broker:
        broker.copy_mode = "splice"
    with kfast.Broker(tmp_path) as broker:
        assert broker.copy_mode == "sendfile"


def test_other_settings_are_persisted(tmp_path: Path) -> None:
    with kfast.Broker(tmp_path) as broker:
        broker.set_config("log.retention.ms", "12345")
    with kfast.Broker(tmp_path) as broker:
        assert broker.config.get("log.retention.ms") == 12345


def test_an_unknown_partition_is_an_error() -> None:
    with kfast.Broker() as broker, pytest.raises(UnknownTopicOrPartitionError, match="orders-0"):
        broker.log("orders", 0)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:9092", ("PLAINTEXT", "127.0.0.1", 9092)),
        ("localhost:0", ("PLAINTEXT", "localhost", 0)),
        ("[::1]:9092", ("PLAINTEXT", "::1", 9092)),
        (":9092", ("PLAINTEXT", "127.0.0.1", 9092)),
        ("PLAINTEXT://0.0.0.0:9092", ("PLAINTEXT", "0.0.0.0", 9092)),
        ("SSL://127.0.0.1:9093", ("SSL", "127.0.0.1", 9093)),
        ("SSL://[::1]:0", ("SSL", "::1", 0)),
        ("SSL://:9093", ("SSL", "127.0.0.1", 9093)),
    ],
)
def test_listen_is_host_and_port_and_how_to_speak_there(listen: str, expected: tuple[str, str, int]) -> None:
    assert parse_listen(listen) == expected


@pytest.mark.parametrize(
    "listen", ["9092", "localhost", "localhost:", "localhost:kafka", "localhost:65536", "", "SSL://9093", "SSL://"]
)
def test_listen_that_is_no_address_says_what_one_is(listen: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_listen(listen)


@pytest.mark.parametrize("listen", ["SASL_SSL://localhost:9092", "ssl://localhost:9092", "://localhost:9092"])
def test_other_protocols_are_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="neither PLAINTEXT:// nor SSL://"):
        parse_listen(listen)


def test_a_plain_broker_knows_of_no_certificate() -> None:
    with kfast.Broker() as broker:
        assert (broker.ssl_context, broker.ssl_ca_location) == (None, None)

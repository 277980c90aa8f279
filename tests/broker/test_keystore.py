import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import kfast
from kfast.broker.config import BrokerConfig
from kfast.broker.keystore import Keystore, open_keystore
from kfast.broker.self_signed import make_certificate
from kfast.errors import InvalidConfigError

CHAIN, KEY, LOCATION = "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location"


@pytest.fixture(scope="module")
def pem() -> tuple[str, str]:
    return make_certificate([])


def opened(**settings: str) -> Keystore:
    return open_keystore(
        BrokerConfig({name.replace("_", "."): value for name, value in settings.items()}), ["10.0.0.1"]
    )


def test_without_settings_a_certificate_is_made_and_clients_can_read_it(tmp_path: Path) -> None:
    keystore = opened()
    path = keystore.publish(tmp_path)
    assert path == str(tmp_path / "kfast-ca.pem")
    text = (tmp_path / "kfast-ca.pem").read_text()
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" not in text


def test_tls_1_2_is_the_oldest_that_is_spoken() -> None:
    assert opened().context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_file_or_the_text_itself_may_be_given(tmp_path: Path, pem: tuple[str, str]) -> None:
    certificate, key = pem
    file = tmp_path / "server.pem"
    for text in (key + certificate, certificate + key):
        file.write_text(text)
        assert opened(ssl_keystore_location=str(file)).publish(tmp_path) is None
    keystore = open_keystore(BrokerConfig({CHAIN: certificate, KEY: key}), [])
    assert keystore.publish(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["server.pem"]


def test_what_is_no_keystore_is_refused_with_its_setting(tmp_path: Path, pem: tuple[str, str]) -> None:
    certificate, key = pem
    (tmp_path / "empty.pem").touch()
    (tmp_path / "certificate.pem").write_text(certificate)
    other_key = make_certificate([])[1]
    for config, message in [
        ({LOCATION: str(tmp_path / "none.pem")}, r"ssl\.keystore\.location=.*none\.pem: .*No such file"),
        ({LOCATION: str(tmp_path / "empty.pem")}, r"ssl\.keystore\.location=.*empty\.pem: "),
        ({LOCATION: str(tmp_path / "certificate.pem")}, r"ssl\.keystore\.location=.*certificate\.pem: "),
        ({CHAIN: certificate, KEY: other_key}, r"ssl\.keystore\.certificate\.chain and ssl\.keystore\.key: "),
        ({CHAIN: "nonsense", KEY: "nonsense"}, r"ssl\.keystore\.certificate\.chain and ssl\.keystore\.key: "),
        ({CHAIN: certificate}, "one of them is missing"),
        ({KEY: key}, "one of them is missing"),
        ({CHAIN: certificate, KEY: key, LOCATION: "x.pem"}, "two places"),
    ]:
        with pytest.raises(InvalidConfigError, match=message):
            open_keystore(BrokerConfig(config), [])
    with pytest.raises(InvalidConfigError, match="must be one of: PEM"):
        BrokerConfig({"ssl.keystore.type": "JKS"})


def test_an_encrypted_key_is_refused_and_nobody_is_asked(pem: tuple[str, str]) -> None:
    certificate, key = pem
    private = serialization.load_pem_private_key(key.encode(), None)
    encrypted = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    ).decode()
    with pytest.raises(InvalidConfigError, match="encrypted"):
        open_keystore(BrokerConfig({CHAIN: certificate, KEY: encrypted}), [])


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "kfast.broker.self_signed", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(InvalidConfigError, match=r"cryptography: pip install 'kfast\[tls\]'"):
        kfast.Broker(tmp_path / "data", listen="SSL://127.0.0.1:0")
    assert not (tmp_path / "data").exists()

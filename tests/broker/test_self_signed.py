import ipaddress
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from kfast.broker.self_signed import make_certificate


def names(certificate: str) -> list[str]:
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in found]


def test_it_is_for_this_machine_and_the_hosts_that_are_asked_for() -> None:
    certificate, _ = make_certificate(["kafka.example.org", "10.0.0.1", "localhost"])
    assert names(certificate) == ["localhost", "127.0.0.1", "::1", "kafka.example.org", "10.0.0.1"]
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("::1") in found.get_values_for_type(x509.IPAddress)


def test_it_holds_from_yesterday_for_years() -> None:
    loaded = x509.load_pem_x509_certificate(make_certificate([])[0].encode())
    assert (datetime.now(UTC) - loaded.not_valid_before_utc).days == 1
    assert (loaded.not_valid_after_utc - datetime.now(UTC)).days > 3000


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "kafka.example.org"])
def test_strict_clients_accept_it(host: str) -> None:
    certificate, key = make_certificate(["kafka.example.org"])
    _handshake(_server(certificate, key), _strict_client(certificate), host)


def test_no_other_host_is_vouched_for() -> None:
    certificate, key = make_certificate([])
    with pytest.raises(ssl.SSLCertVerificationError, match="example"):
        _handshake(_server(certificate, key), _strict_client(certificate), "example.org")


def test_each_is_another() -> None:
    certificate, key = make_certificate([])
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(_server(certificate, key), _strict_client(make_certificate([])[0]), "localhost")


def _server(certificate: str, key: str) -> ssl.SSLContext:
    from kfast.broker.keystore import _context_of

    return _context_of(certificate, key)


def _strict_client(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Without a socket: each end's bytes are handed to the other until both are done."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    assert not ends

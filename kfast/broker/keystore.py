"""What an SSL listener shows its clients: the certificate that was configured, or one made on the fly.

Configured as in Kafka, in PEM (KIP-651): by `ssl.keystore.certificate.chain` and `ssl.keystore.key`, which are the
text, or by `ssl.keystore.location`, a file that holds both. kfast asks clients for no certificate of theirs.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfast.errors import InvalidConfigError

if TYPE_CHECKING:
    from kfast.broker.config import BrokerConfig

CA_FILE = "kfast-ca.pem"
_LOCATION, _CHAIN, _KEY = "ssl.keystore.location", "ssl.keystore.certificate.chain", "ssl.keystore.key"


@dataclass(frozen=True, slots=True)
class Keystore:
    """`context` is for the listener's sockets. `made_certificate`, PEM, is what clients have to trust; None where the
    certificate was configured: who gave it knows by whom it was signed.
    """

    context: ssl.SSLContext
    made_certificate: str | None

    def publish(self, directory: Path) -> str | None:
        """Write the certificate that was made where clients can read it; return the path. The key stays in memory."""
        if self.made_certificate is None:
            return None
        path = directory / CA_FILE
        path.write_text(self.made_certificate)
        return str(path)


def open_keystore(config: BrokerConfig, hosts: Iterable[str]) -> Keystore:
    """What the configuration names, or a certificate for `hosts`. Raises InvalidConfigError."""
    location, chain, key = (config.get(name) for name in (_LOCATION, _CHAIN, _KEY))
    if (chain is None) != (key is None):
        raise InvalidConfigError(f"{_CHAIN} and {_KEY} go together: one of them is missing")
    if location is not None and chain is not None:
        raise InvalidConfigError(f"{_LOCATION} and {_CHAIN} are two places for one certificate: give one of them")
    if location is not None:
        return Keystore(_context(location, f"{_LOCATION}={location}"), None)
    if chain is not None:
        return Keystore(_context_of(chain, key), None)
    certificate, key = _make_certificate(hosts)
    return Keystore(_context_of(certificate, key), certificate)


def _context_of(chain: str, key: str) -> ssl.SSLContext:
    """Python reads certificates from files only: the key lies in one for a moment, which only its owner can read."""
    with tempfile.NamedTemporaryFile("w", prefix="kfast-", suffix=".pem") as file:
        file.write(f"{key}\n{chain}\n")
        file.flush()
        return _context(file.name, f"{_CHAIN} and {_KEY}")


def _context(path: str, setting: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # as ssl.enabled.protocols of Kafka has it
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Every frame says its own size, so one that was cut off is seen without TLS; and what ends here may still be told.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # OpenSSL 3, which else takes it for a fatal error
    context.num_tickets = 0  # Kafka clients resume nothing, and one that leaves with tickets unread leaves by a reset
    try:
        context.load_cert_chain(path, password=_no_password)
    except OSError as error:  # SSLError is one
        raise InvalidConfigError(
            f"{setting}: no certificate chain with its private key in PEM: {error.strerror}"
        ) from error
    return context


def _no_password() -> str:
    """Without it OpenSSL would ask the terminal."""
    raise InvalidConfigError(f"the private key of {_LOCATION} or {_KEY} is encrypted, which kfast does not open")


def _make_certificate(hosts: Iterable[str]) -> tuple[str, str]:
    try:
        from kfast.broker.self_signed import make_certificate
    except ModuleNotFoundError as error:
        raise InvalidConfigError(
            f"to make a certificate takes {error.name}: pip install 'kfast[tls]', or name one by {_LOCATION}"
        ) from error
    return make_certificate(hosts)

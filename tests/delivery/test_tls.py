"""Mail over TLS, both ways; a certificate that nobody vouches for gets neither password nor mail."""

import ipaddress
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from amplify.delivery.models import Message
from amplify.delivery.sending import Batch
from tests.delivery.mailserver import listening

MODES = [("starttls", False), ("tls", True)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new key and a certificate for 127.0.0.1 that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail of a test")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(("mode", "implicit"), MODES)
def test_mail_goes_over_tls_to_a_server_that_is_vouched_for(
    order: Callable[..., Message],
    send: Callable[..., Batch],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    implicit: bool,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listening(context_of(certificate), implicit=implicit) as server:
        assert send(order(), smtp_port=server.port, smtp_tls=mode).sent == 1
        assert len(server.mails) == 1


@pytest.mark.parametrize(("mode", "implicit"), MODES)
def test_a_server_nobody_vouches_for_gets_nothing(
    order: Callable[..., Message], send: Callable[..., Batch], certificate: Path, mode: str, implicit: bool
) -> None:
    secrets: dict[str, Any] = {"smtp_user": "me", "smtp_password": "secret"}
    with listening(context_of(certificate), implicit=implicit) as server:
        batch = send(order(), smtp_port=server.port, smtp_tls=mode, **secrets)
        assert "certificate verify failed" in batch.later[0]
        assert server.mails == []


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for(
    order: Callable[..., Message], send: Callable[..., Batch]
) -> None:
    with listening() as server:
        assert send(order(), smtp_port=server.port, smtp_tls="starttls").later
        assert server.mails == []

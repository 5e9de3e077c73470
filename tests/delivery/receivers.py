"""Strict servers of this machine that messages are brought to over HTTP: a brand's program, and a push service.

Each refuses what the real one would refuse, so what they took was right.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook

from amplify.delivery.vapid import point


class Receiver:
    """`answers` are given first, one per request; then `judge` decides. `took` is what was accepted."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.took: list[Any] = []
        self.heads: list[dict[str, str]] = []
        self.refused: list[str] = []
        # What is answered, and the address that was asked.
        self.said = b""
        self.path = ""

    def judge(self, head: dict[str, str], body: bytes) -> int:
        raise NotImplementedError

    def answer(self, head: dict[str, str], body: bytes, path: str = "") -> tuple[int, dict[str, str]]:
        self.said = b""
        self.path = path
        if self.answers:
            return self.answers.pop(0)
        self.heads.append(head)
        try:
            return self.judge(head, body), {}
        except Exception as error:
            self.refused.append(f"{type(error).__name__}: {error}")
            return 400, {}


@dataclass
class Program(Receiver):
    """A brand's program: it verifies with the library that others use."""

    secret: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def judge(self, head: dict[str, str], body: bytes) -> int:
        assert head["content-type"] == "application/json"
        self.took.append(Webhook(self.secret).verify(body, head))
        return 204


@dataclass
class PushService(Receiver):
    """A push service and the browser behind it: verifies our VAPID word, decrypts with the browser's own key."""

    public: str = ""  # the installation's key that the browser subscribed with
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"0123456789abcdef"

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def subscription(self) -> dict[str, str]:
        own = point(self.private.public_key())
        return {"endpoint": f"{self.url}/push/abc", "p256dh": text_of(own), "auth": text_of(self.auth)}

    def judge(self, head: dict[str, str], body: bytes) -> int:
        if not self._knows(head["authorization"]):
            return 403
        assert head["content-encoding"] == "aes128gcm"
        assert 0 < int(head["ttl"]) <= 28 * 86_400
        assert head["urgency"] in ("very-low", "low", "normal", "high")
        assert len(head["topic"]) <= 32
        assert len(body) <= 4096
        self.took.append(json.loads(self._decrypted(body)))
        return 201

    def _knows(self, said: str) -> bool:
        """RFC 8292, 3 and 4."""
        kind, _, rest = said.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        head, claims, signed = parts["t"].split(".")
        r, s = (int.from_bytes(half, "big") for half in (bytes_of(signed)[:32], bytes_of(signed)[32:]))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes_of(parts["k"]))
        try:
            key.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        told = json.loads(bytes_of(claims))
        left = told["exp"] - datetime.now(UTC).timestamp()
        return (
            kind == "vapid"
            and json.loads(bytes_of(head)) == {"typ": "JWT", "alg": "ES256"}
            and told["aud"] == self.url
            and told["sub"].startswith("mailto:")
            and 0 < left <= 86_400
            and parts["k"] == self.public
        )

    def _decrypted(self, body: bytes) -> bytes:
        """RFC 8291, 3.4, from the browser's side."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        own = point(self.private.public_key())
        shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        material = _derived(shared, self.auth, b"WebPush: info\0" + own + sender, 32)
        key = _derived(material, salt, b"Content-Encoding: aes128gcm\0", 16)
        plain = AESGCM(key).decrypt(_derived(material, salt, b"Content-Encoding: nonce\0", 12), sealed, None)
        assert plain.endswith(b"\x02")
        return plain[:-1]


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """The server, until the block ends; its address is `receiver.url`."""

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.answer(head, body, self.path)
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(receiver.said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.said)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A real mail server on this machine that keeps what it takes, and refuses what it is told to refuse."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class MailServer:
    """Handler and memory: `mails` in order; `refuse` maps an address to the answer its RCPT gets."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.refuse: dict[str, str] = {}
        self.data_answers: list[str] = []  # said instead of 250, one per mail
        self.takes_seconds = 0.0  # before each mail is answered
        self.connections = 0
        self.is_pipelining = False  # whether it offers PIPELINING (RFC 2920)
        self.host, self.port = "127.0.0.1", 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.is_pipelining else responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        await asyncio.sleep(self.takes_seconds)
        if self.data_answers:
            return self.data_answers.pop(0)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.raw.append(envelope.content)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def listening(
    tls: ssl.SSLContext | None = None, *, user: str = "", password: str = "", implicit: bool = False
) -> Iterator[MailServer]:
    """The server, until the block ends; with `tls` it insists on STARTTLS, or speaks TLS from the start."""
    server = MailServer()
    server.port = free_port()
    options: dict[str, Any] = {}
    if tls is not None and implicit:
        options["ssl_context"] = tls
    elif tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    if user:
        options |= {"authenticator": _knows(user, password), "auth_require_tls": False}
    controller = Controller(server, hostname=server.host, port=server.port, enable_SMTPUTF8=True, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def _knows(user: str, password: str) -> Any:
    def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, said: Any) -> AuthResult:
        return AuthResult(success=(said.login, said.password) == (user.encode(), password.encode()))

    return check

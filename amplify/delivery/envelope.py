"""One message as an e-mail: headers that nobody can inject into, text and HTML, one-click unsubscribe (RFC 8058)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any, Self

from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.delivery.addresses import on_the_wire
from amplify.delivery.bodies import BOUNDARY, alternatives
from amplify.delivery.errors import PermanentFailure
from amplify.delivery.render import Rendered, one_line

# What the email package writes as it stands: characters that mean nothing in such a header, and few of them.
_NAME = r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*"
_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
MAILBOX = re.compile(rf"(?=.{{3,60}}\Z){_NAME}@{_HOST}")
PLAIN = {
    "to": MAILBOX,
    "message-id": re.compile(rf"(?=.{{3,60}}\Z)<{_NAME}@{_HOST}>"),
    "date": re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", re.ASCII),
    # Never folded, see _Whole.
    "list-unsubscribe": re.compile(r"<https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+>"),
}


class _Whole(UnstructuredHeader):
    """A header that is never folded: Python would break a long address into encoded words, which no provider reads."""

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Policy(EmailPolicy):
    """The standard's, which would make a class anew to say how often a header may stand in a mail: once."""

    def header_max_count(self, name: str) -> int | None:
        return 1


_registry = HeaderRegistry()
# The registry mixes its base class in itself; its types want it already there.
_registry.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]
POLICY = _Policy(header_factory=_registry, linesep="\r\n")


class _Written(str):
    """The value of a header whose line is known: to find out how one is written is most of what a mail costs."""

    __slots__ = ("line", "name")
    name: str
    line: str

    @classmethod
    def of(cls, name: str, value: str, line: str) -> Self:
        made = cls(value)
        made.name, made.line = name, line
        return made

    def fold(self, *, policy: EmailPolicy) -> str:
        return self.line


@dataclass(frozen=True)
class Outgoing:
    """Everything a channel needs to send one message. `sender` is "Name <address>"; `sender_name` is shown instead."""

    message_id: str
    address: str
    sender: str
    sender_name: str
    rendered: Rendered
    unsubscribe_url: str = ""
    # For channels that need more than an address: how they reach it, and the message as plain values.
    target: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mailbox(self) -> tuple[str, str]:
        """Local part and domain. Raises PermanentFailure if that is no address."""
        if MAILBOX.fullmatch(self.address):  # it was checked when it was ordered; this much can do no harm
            local, _, domain = self.address.partition("@")
            return local, domain
        try:
            return on_the_wire(self.address)
        except Invalid as error:
            raise PermanentFailure("this is no address") from error


def compose(outgoing: Outgoing) -> EmailMessage:
    """The e-mail. Raises PermanentFailure if the address or a header cannot be written."""
    mail = EmailMessage(POLICY)
    try:
        for name, value in _headers(outgoing):
            mail[name] = _plain(name, value) or value
    except (ValueError, IndexError, MessageError) as error:
        raise PermanentFailure(f"a header cannot be written: {error}") from error
    mail.set_payload(alternatives(outgoing.rendered.text, outgoing.rendered.html))
    return mail


def _headers(outgoing: Outgoing) -> Iterator[tuple[str, Any]]:
    yield "From", _sender(outgoing.sender, outgoing.sender_name)
    mailbox = outgoing.mailbox
    yield "To", "@".join(mailbox) if MAILBOX.fullmatch(outgoing.address) else Address("", *mailbox)
    yield "Subject", _same("Subject", one_line(outgoing.rendered.subject))
    yield "Date", format_datetime(clock.now())
    yield "Message-ID", outgoing.message_id
    yield "Auto-Submitted", _same("Auto-Submitted", "auto-generated")
    if outgoing.unsubscribe_url:
        yield "List-Unsubscribe", f"<{outgoing.unsubscribe_url}>"
        yield "List-Unsubscribe-Post", _same("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    yield "MIME-Version", _same("MIME-Version", "1.0")
    yield "Content-Type", _same("Content-Type", f'multipart/alternative; boundary="{BOUNDARY}"')


def _plain(name: str, value: Any) -> _Written | None:
    """The header as it stands, if the email package would change nothing."""
    pattern = PLAIN.get(name.lower())
    is_plain = pattern is not None and isinstance(value, str) and pattern.fullmatch(value)
    return _Written.of(name, value, f"{name}: {value}\r\n") if is_plain else None


@lru_cache(1024)
def _same(name: str, value: str) -> _Written:
    """The header as the email package writes it; most mails in a row have the same."""
    if len(value.splitlines()) > 1:
        raise ValueError("a header is one line")
    return _written(name, value)


@lru_cache(256)
def _sender(sender: str, shown: str) -> _Written:
    name, address = parseaddr(sender)
    return _written("From", Address(one_line(shown or name, 80), addr_spec=address))


def _written(name: str, value: Any) -> _Written:
    header = POLICY.header_factory(name, value)
    return _Written.of(name, str(header), header.fold(policy=POLICY))

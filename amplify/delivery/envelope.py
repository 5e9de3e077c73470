"""One message as an e-mail: headers that nobody can inject into, text and HTML, one-click unsubscribe (RFC 8058)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any

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
    "To": MAILBOX,
    "Message-ID": re.compile(rf"(?=.{{3,60}}\Z)<{_NAME}@{_HOST}>"),
    "Date": re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", re.ASCII),
    # Never folded, see _Whole.
    "List-Unsubscribe": re.compile(r"<https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+>"),
}
# A line end after which the header does not go on.
EARLY_END = re.compile(r"[\r\n](?![\n \t]|\Z)")


class _Whole(UnstructuredHeader):
    """A header that is never folded: Python would break a long address into encoded words, which no provider reads."""

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_registry = HeaderRegistry()
# The registry mixes its base class in itself; its types want it already there.
_registry.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]
POLICY = EmailPolicy(header_factory=_registry, linesep="\r\n")
# For addresses that ASCII cannot write (RFC 6532).
POLICY_UTF8 = POLICY.clone(utf8=True)


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


def compose(outgoing: Outgoing) -> bytes:
    """The e-mail as it travels; all ASCII unless an address is not.

    Not by an EmailMessage: header by header it finds out again what most mails in a row have in common, which is most
    of what a mail costs. Raises PermanentFailure if the address or a header cannot be written.
    """
    try:
        head = "".join(_headers(outgoing))
        return f"{head}\r\n{alternatives(outgoing.rendered.text, outgoing.rendered.html)}".encode()
    except (ValueError, IndexError, MessageError) as error:
        raise PermanentFailure(f"a header cannot be written: {error}") from error


def _headers(outgoing: Outgoing) -> Iterator[str]:
    """Each with its line end."""
    yield _sender(outgoing.sender, outgoing.sender_name)
    yield _to(*outgoing.mailbox)
    yield _same("Subject", one_line(outgoing.rendered.subject))
    yield _plain("Date", format_datetime(clock.now()))
    yield _plain("Message-ID", outgoing.message_id)
    yield _same("Auto-Submitted", "auto-generated")
    if outgoing.unsubscribe_url:
        yield _plain("List-Unsubscribe", f"<{outgoing.unsubscribe_url}>")
        yield _same("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    yield _same("MIME-Version", "1.0")
    yield _same("Content-Type", f'multipart/alternative; boundary="{BOUNDARY}"')


def _to(local: str, domain: str) -> str:
    address = f"{local}@{domain}"
    if PLAIN["To"].fullmatch(address):
        return f"To: {address}\r\n"
    return _written("To", Address("", local, domain), POLICY if address.isascii() else POLICY_UTF8)


def _plain(name: str, value: str) -> str:
    """The header as it stands, if the email package would change nothing."""
    return f"{name}: {value}\r\n" if PLAIN[name].fullmatch(value) else _written(name, value)


@lru_cache(1024)
def _same(name: str, value: str) -> str:
    """The header as the email package writes it; most mails in a row have the same."""
    return _written(name, value)


@lru_cache(256)
def _sender(sender: str, shown: str) -> str:
    name, address = parseaddr(sender)
    return _written("From", Address(one_line(shown or name, 80), addr_spec=address))


def _written(name: str, value: Any, policy: Any = POLICY) -> str:
    """The header as the email package writes it. Raises ValueError for what would end it."""
    written: str = policy.fold(*policy.header_store_parse(name, value))
    if EARLY_END.search(written):
        raise ValueError("a header is one line")
    return written

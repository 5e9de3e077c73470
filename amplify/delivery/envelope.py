"""One message as an e-mail: headers that nobody can inject into, text and HTML, one-click unsubscribe (RFC 8058)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.delivery.addresses import on_the_wire
from amplify.delivery.errors import PermanentFailure
from amplify.delivery.render import Rendered, one_line


class _Whole(UnstructuredHeader):
    """A header that is never folded: Python would break a long address into encoded words, which no provider reads."""

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_registry = HeaderRegistry()
# The registry mixes its base class in itself; its types want it already there.
_registry.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]
POLICY = SMTP.clone(header_factory=_registry)


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
        try:
            return on_the_wire(self.address)
        except Invalid as error:
            raise PermanentFailure("this is no address") from error


def compose(outgoing: Outgoing) -> EmailMessage:
    """The e-mail. Raises PermanentFailure if the address or a header cannot be written."""
    mail = EmailMessage(POLICY)
    try:
        _write_headers(mail, outgoing)
    except (ValueError, IndexError, MessageError) as error:
        raise PermanentFailure(f"a header cannot be written: {error}") from error
    mail.set_content(outgoing.rendered.text)
    mail.add_alternative(outgoing.rendered.html, subtype="html")
    return mail


def _write_headers(mail: EmailMessage, outgoing: Outgoing) -> None:
    name, address = parseaddr(outgoing.sender)
    mail["From"] = Address(one_line(outgoing.sender_name or name, 80), addr_spec=address)
    mail["To"] = Address(username=outgoing.mailbox[0], domain=outgoing.mailbox[1])
    mail["Subject"] = one_line(outgoing.rendered.subject)
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = outgoing.message_id
    mail["Auto-Submitted"] = "auto-generated"
    if outgoing.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"

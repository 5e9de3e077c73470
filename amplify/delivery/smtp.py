"""One connection to a mail server (RFC 5321): mails one after the other, and each refusal told apart.

Where the server offers PIPELINING (RFC 2920), the next mail's sender and recipient travel behind this one's last dot:
each mail costs one journey instead of four. A mail itself never leaves before the one ahead of it was answered.
"""

import re
import smtplib
import socket
from contextlib import suppress
from dataclasses import dataclass

from amplify.delivery.envelope import MAILBOX
from amplify.delivery.errors import DeliveryFailure, PermanentFailure, TransientFailure

# RFC 5321, 4.2.3: the mailbox itself is refused. With an enhanced code (RFC 3463), only those that say that it does
# not exist or is closed for good; 5.7.x (policy) and 5.2.2 (full) say nothing against the address.
MAILBOX_CODES = (550, 551, 553)
DEAD = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
GO_AHEAD = 354
LEADING_DOT = re.compile(rb"(?m)^\.")


class ConnectionGone(Exception):
    """It broke, or the server is closing it (421), before any text of this mail had left."""


@dataclass(frozen=True)
class Letter:
    """One mail as it travels: `content` ends with a line end."""

    sender: str
    recipient: str
    content: bytes

    @property
    def is_international(self) -> bool:
        """It needs a server that takes addresses of every script (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


class Line:
    """A connection that smtplib opened. `announce`, `hear_go_ahead`, `write` and `hear_taken`, in this order."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server
        self.is_pipelining = server.has_extn("pipelining")
        if server.sock is not None:
            server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def announce(self, letter: Letter) -> None:
        """From whom and to whom; all at once if the server allows it. Raises ConnectionGone, PermanentFailure."""
        if letter.is_international and not self._server.has_extn("smtputf8"):
            raise PermanentFailure("the mail server does not take such an address")
        if self.is_pipelining:
            self._say("".join(f"{command}\r\n" for command in self._commands(letter)).encode())

    def hear_go_ahead(self, letter: Letter) -> None:
        """Until the server waits for the text. Raises ConnectionGone, or what it has against this mail."""
        asked = self._commands(letter)
        answers = [self._hear() for _command in asked] if self.is_pipelining else self._ask(asked)
        refused = next((place for place, (code, _text) in enumerate(answers) if code not in (250, 251, GO_AHEAD)), None)
        if refused is None:
            return
        with suppress(ConnectionGone):  # which whoever comes next will find
            if answers[-1][0] == GO_AHEAD:  # it would take the text of a mail to nobody: it gets none
                self._say(b".\r\n")
                self._hear()
            self._say(b"RSET\r\n")
            self._hear()
        raise (recipient_refused if refused == 1 else refusal)(*answers[refused])

    def write(self, letter: Letter) -> None:
        """The text. From here on nobody knows whether it arrived, until the server says so."""
        content = letter.content
        dotted = LEADING_DOT.sub(b"..", content) if b"\n." in content or content[:1] == b"." else content
        try:
            self._server.send(dotted + b".\r\n")
        except (OSError, smtplib.SMTPException) as error:
            raise broken(error) from error

    def hear_taken(self) -> None:
        """Until the server took it. Raises what it says otherwise; TransientFailure if it says nothing."""
        try:
            code, text = self._server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise broken(error) from error
        if code != 250:
            raise refusal(code, said(text))

    def _commands(self, letter: Letter) -> tuple[str, str, str]:
        options = f" SIZE={len(letter.content)}" if self._server.has_extn("size") else ""
        options += " SMTPUTF8 BODY=8BITMIME" if letter.is_international else ""
        return f"MAIL FROM:{_path(letter.sender)}{options}", f"RCPT TO:{_path(letter.recipient)}", "DATA"

    def _ask(self, commands: tuple[str, ...]) -> list[tuple[int, str]]:
        """One after the other, until one is refused."""
        answers: list[tuple[int, str]] = []
        for command in commands:
            self._say(f"{command}\r\n".encode())
            answers.append(self._hear())
            if answers[-1][0] not in (250, 251, GO_AHEAD):
                break
        return answers

    def _say(self, words: bytes) -> None:
        try:
            self._server.send(words)
        except (OSError, smtplib.SMTPException) as error:
            raise ConnectionGone(str(error)) from error

    def _hear(self) -> tuple[int, str]:
        try:
            code, text = self._server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise ConnectionGone(str(error)) from error
        if code == 421:  # "closing transmission channel"
            raise ConnectionGone(f"421 {said(text)}")
        return code, said(text)


def _path(address: str) -> str:
    """RFC 5321, 4.1.2. The library reads each address anew, as freely as a person may write it."""
    return f"<{address}>" if MAILBOX.fullmatch(address) else smtplib.quoteaddr(address)


def said(text: bytes | str) -> str:
    """What the server said, readable."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def broken(error: Exception) -> TransientFailure:
    """The connection was lost with a mail on it."""
    return TransientFailure(f"the connection broke: {error}", is_connection_lost=True)


def recipient_refused(code: int, text: str) -> DeliveryFailure:
    """The same as `refusal`; the mailbox may be dead."""
    if code < 500:
        return refusal(code, text)
    enhanced = text.split()[0] if text[:2] == "5." else ""
    is_dead = code in MAILBOX_CODES and (enhanced in DEAD or not enhanced)
    return PermanentFailure(f"{code} {text}", is_address_dead=is_dead)


def refusal(code: int, text: str) -> DeliveryFailure:
    """4xx: later; 421 closes the connection, too. 5xx: never, for this message."""
    if code == 421:
        return TransientFailure(f"{code} {text}", is_connection_lost=True)
    return TransientFailure(f"{code} {text}") if code < 500 else PermanentFailure(f"{code} {text}")

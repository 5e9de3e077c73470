"""E-mail over SMTP with the standard library: one connection for all mails of an opening (see delivery/smtp.py)."""

import smtplib
import ssl
from collections.abc import Generator, Iterable
from contextlib import suppress
from email.utils import parseaddr
from functools import lru_cache

from amplify.core.i18n import lazy_gettext as _l
from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing, compose
from amplify.delivery.errors import DeliveryFailure, TransientFailure
from amplify.delivery.smtp import ConnectionGone, Letter, Line, broken


class Email(Channel):
    """SMTP as the settings `smtp_*` say."""

    name = "email"
    label = _l("E-mail")
    order = 10
    _server: smtplib.SMTP | None = None
    _line: Line | None = None
    # The letter that the server has been told of, and whose text it waits for.
    _announced: Letter | None = None

    def send(self, outgoing: Outgoing) -> None:
        for failure in self.send_each([outgoing]):
            if failure is not None:
                raise failure

    def send_each(self, group: Iterable[Outgoing]) -> Generator[DeliveryFailure | None, None, None]:
        letters = map(_letter, group)
        following = next(letters, None)
        try:
            while (letter := following) is not None:
                following = None
                outcome: DeliveryFailure | None = None
                try:
                    if isinstance(letter, DeliveryFailure):
                        raise letter
                    line = self._begun(letter)
                    line.write(letter)
                    self._announced = None
                    if line.is_pipelining and (following := next(letters, None)):
                        self._announce_next(line, following)
                    line.hear_taken()
                except DeliveryFailure as failure:
                    outcome = failure
                    if isinstance(failure, TransientFailure) and failure.is_connection_lost:
                        self._drop()
                yield outcome
                following = following or next(letters, None)
        finally:
            if self._announced is not None:  # it waits for a text that will not come
                self._drop()

    def _begun(self, letter: Letter) -> Line:
        """A connection that waits for this letter's text. Servers close idle ones, or after a number of mails."""
        for _again in range(2):
            is_new = self._line is None
            line = self._connected()
            try:
                if self._announced is not letter:
                    line.announce(letter)
                self._announced = letter
                line.hear_go_ahead(letter)
            except ConnectionGone as gone:
                self._drop()
                if is_new:
                    raise broken(gone) from gone
            except DeliveryFailure:
                self._announced = None
                raise
            else:
                return line
        raise TransientFailure("the connection broke twice", is_connection_lost=True)

    def _announce_next(self, line: Line, following: Letter | DeliveryFailure) -> None:
        """What can be wrong with it is found when its turn comes."""
        if isinstance(following, Letter):
            with suppress(ConnectionGone, DeliveryFailure):
                line.announce(following)
                self._announced = following

    def _connected(self) -> Line:
        if self._line is None:
            try:
                self._server = self._connect()
                self._server.ehlo_or_helo_if_needed()
            except (OSError, smtplib.SMTPException) as error:
                self._drop()
                raise TransientFailure(f"no connection to the mail server: {error}", is_channel_down=True) from error
            self._line = Line(self._server)
        return self._line

    def _connect(self) -> smtplib.SMTP:
        s = self.settings
        if s.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                s.smtp_host, s.smtp_port, timeout=s.smtp_timeout_seconds, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(s.smtp_host, s.smtp_port, timeout=s.smtp_timeout_seconds)
        try:
            if s.smtp_tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if s.smtp_user:
                server.login(s.smtp_user, s.smtp_password)
        except BaseException:
            server.close()
            raise
        return server

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = self._line = self._announced = None

    def close(self) -> None:
        if self._server is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._server.quit()
        self._drop()


@lru_cache(64)
def _address(sender: str) -> str:
    return parseaddr(sender)[1]


def _letter(outgoing: Outgoing) -> Letter | DeliveryFailure:
    """The mail as it travels, or why it cannot."""
    try:
        return Letter(_address(outgoing.sender), "@".join(outgoing.mailbox), compose(outgoing))
    except DeliveryFailure as failure:
        return failure

"""E-mail over SMTP (RFC 5321) with the standard library: one connection per batch, and each refusal told apart."""

import smtplib
import ssl
from contextlib import suppress

from amplify.core.i18n import lazy_gettext as _l
from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing, compose
from amplify.delivery.errors import DeliveryFailure, PermanentFailure, TransientFailure

# RFC 5321, 4.2.3: the mailbox itself is refused. With an enhanced code (RFC 3463), only those that say that it does
# not exist or is closed for good; 5.7.x (policy) and 5.2.2 (full) say nothing against the address.
MAILBOX_CODES = (550, 551, 553)
DEAD = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")


class Email(Channel):
    """SMTP as the settings `smtp_*` say."""

    name = "email"
    label = _l("E-mail")
    order = 10
    _server: smtplib.SMTP | None = None

    def send(self, outgoing: Outgoing) -> None:
        mail = compose(outgoing)
        server = self._connected()
        try:
            server.send_message(mail, to_addrs=["@".join(outgoing.mailbox)])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            self._drop_if_closing(code)
            raise _recipient_refused(code, _said(text)) from error
        except smtplib.SMTPResponseException as error:
            self._drop_if_closing(error.smtp_code)
            raise _refused(error.smtp_code, _said(error.smtp_error)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise PermanentFailure(f"the mail server does not take such an address: {error}") from error
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise TransientFailure(f"the connection broke: {error}", is_connection_lost=True) from error

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None and not self._answers(self._server):
            self._drop()
        if self._server is None:
            try:
                self._server = self._connect()
            except (OSError, smtplib.SMTPException) as error:
                raise TransientFailure(f"no connection to the mail server: {error}", is_channel_down=True) from error
        return self._server

    def _answers(self, server: smtplib.SMTP) -> bool:
        """Whether the connection still lives: servers close idle ones, or after a number of mails."""
        try:
            return server.rset()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

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

    def _drop_if_closing(self, code: int) -> None:
        if code == 421:  # "closing transmission channel"
            self._drop()

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None

    def close(self) -> None:
        if self._server is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._server.quit()
        self._drop()


def _said(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _recipient_refused(code: int, text: str) -> DeliveryFailure:
    if code < 500:
        return _refused(code, text)
    enhanced = text.split()[0] if text[:2] == "5." else ""
    is_dead = code in MAILBOX_CODES and (enhanced in DEAD or not enhanced)
    return PermanentFailure(f"{code} {text}", is_address_dead=is_dead)


def _refused(code: int, text: str) -> DeliveryFailure:
    """4xx: later; 421 closes the connection, too. 5xx: never, for this message."""
    if code == 421:
        return TransientFailure(f"{code} {text}", is_connection_lost=True)
    return TransientFailure(f"{code} {text}") if code < 500 else PermanentFailure(f"{code} {text}")

"""Text messages (SMS) by Twilio's REST API, and what Twilio tells afterwards.

Documented at twilio.com/docs: messaging/api/message-resource, usage/security (signatures), api/errors, and
messaging/tutorials/advanced-opt-out (STOP). Spoken by our own client: see docs/decisions/0007-sms.md.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit

from amplify.core.errors import Invalid, Unauthorized
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import AddressRefused, Answer, Client, NoAnswer
from amplify.core.settings import Settings
from amplify.delivery import phones
from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import DeliveryFailure, PermanentFailure, TransientFailure
from amplify.delivery.receipts import Heard, Receipt, Reply, Told

LONGEST = 1600  # error 21617
# 21211 no number, 21214 cannot be reached, 21610 said STOP, 21614 no mobile: never again to this number.
DEAD = (21211, 21214, 21610, 21614)
# 21212, 21603, 21606, 21659: the sender is not ours to write from; nobody's message leaves until that is mended.
OUR_FAULT = (21212, 21603, 21606, 21659)
# Later, by status callback: 30005 unknown or gone, 30006 a landline.
DEAD_LATER = ("30005", "30006", "21610")
STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
START = {"START", "UNSTOP", "YES"}


class Sms(Channel):
    """One request per message; 201 means that Twilio has it. `hear` is told what the telephone made of it."""

    name = "sms"
    label = _l("Text message (SMS)")
    order = 15

    def send(self, outgoing: Outgoing) -> None:
        if not self.settings.sends_sms:
            raise TransientFailure("no account for text messages is set", is_channel_down=True)
        body = urlencode(self._said(outgoing)).encode()
        account = self.settings.twilio_account_sid
        url = f"{self.settings.twilio_url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        try:
            answer = Client.of(self.settings).request("POST", url, body=body, headers=self._headers())
        except AddressRefused as error:
            raise TransientFailure(f"the provider's address is refused: {error}", is_channel_down=True) from error
        except NoAnswer as error:
            raise TransientFailure(str(error), is_connection_lost=True) from error
        if answer.status != 201:
            raise _refused(answer)

    def _said(self, outgoing: Outgoing) -> dict[str, str]:
        try:
            to = phones.check("address", outgoing.address)
        except Invalid as error:
            raise PermanentFailure("this is no telephone number", is_address_dead=True) from error
        text = outgoing.rendered.short or outgoing.rendered.subject
        if len(text) > LONGEST:
            raise PermanentFailure(f"{len(text)} characters; {LONGEST} are taken at most")
        sender = self.settings.sms_from
        back = f"{self.settings.base_url}/in/channels/{self.name}?message={quote(outgoing.message_id, safe='')}"
        return {
            "To": to,
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            "Body": text,
            **({"StatusCallback": back} if _is_reachable(self.settings) else {}),
        }

    def _headers(self) -> dict[str, str]:
        word = f"{self.settings.twilio_account_sid}:{self.settings.twilio_auth_token}"
        return {
            "Authorization": f"Basic {b64encode(word.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    @classmethod
    def hear(cls, settings: Settings, told: Told) -> Heard:
        """A status callback (its address names the message), or a message from a telephone."""
        if not settings.sends_sms or not _is_signed(settings.twilio_auth_token, told):
            raise Unauthorized(_l("The signature is missing, wrong, or too old."), rule="signature")
        if message_id := told.query.get("message", ""):
            return _receipt(message_id, told)
        # A word of the brand's own choice is named by Twilio itself, in OptOutType.
        word = (told.said("OptOutType") or told.said("Body")).strip().upper()
        if word in STOP:
            return Reply(told.said("From"), "stop")
        return Reply(told.said("From"), "start") if word in START else None


def _is_reachable(settings: Settings) -> bool:
    """A callback to this machine would make Twilio refuse the message (21609)."""
    host = urlsplit(settings.base_url).hostname
    return settings.outgoing_to_loopback or host not in ("localhost", "127.0.0.1")


def _receipt(message_id: str, told: Told) -> Receipt | None:
    state, code, reference = told.said("MessageStatus"), told.said("ErrorCode"), told.said("MessageSid")
    if state == "delivered":
        return Receipt(message_id, "delivered", reference=reference)
    if state in ("undelivered", "failed"):
        return Receipt(message_id, "undelivered", code, reference, is_address_dead=code in DEAD_LATER)
    return None  # queued, sending, sent: on its way


def _refused(answer: Answer) -> DeliveryFailure:
    code, words = _why(answer)
    said = f"HTTP {answer.status}" + (f", {code}: {words}" if code else "")
    if answer.status in (401, 403, 404) or code in OUR_FAULT:
        return TransientFailure(said, is_channel_down=True)
    if answer.status == 400:
        return PermanentFailure(said, is_address_dead=code in DEAD)
    return TransientFailure(said, retry_after_seconds=answer.retry_after_seconds)


def _why(answer: Answer) -> tuple[int, str]:
    try:
        told = answer.json()
        return int(told["code"]), str(told.get("message", ""))[:200]
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0, ""


def signature(token: str, url: str, form: Mapping[str, Sequence[str]]) -> str:
    """X-Twilio-Signature: the address as called, then each field's name and value by name, HMAC-SHA1 in base64."""
    fields = "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    return b64encode(hmac.digest(token.encode(), f"{url}{fields}".encode(), "sha1")).decode()


def _is_signed(token: str, told: Told) -> bool:
    """Twilio may sign the address with its port or without."""
    given, parts = told.headers.get("x-twilio-signature", ""), urlsplit(told.url)
    with_port = parts._replace(netloc=f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    expected = [signature(token, url, told.form) for url in (told.url, with_port.geturl())]
    fits = [hmac.compare_digest(given.encode(), one.encode()) for one in expected]
    return any(fits)

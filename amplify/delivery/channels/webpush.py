"""A notification in a browser that asked for them (RFC 8030), encrypted for that browser alone."""

import json
from email.utils import parseaddr

from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import AddressRefused, Answer, Client, NoAnswer
from amplify.core.tokens import digest
from amplify.delivery import vapid
from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import PermanentFailure, TransientFailure
from amplify.delivery.render import one_line

# A browser that is off gets it when it comes back, within a week.
KEEP_SECONDS = 7 * 86_400
DEAD = (401, 403, 404, 410)  # unsubscribed, or subscribed with another key of ours


class WebPush(Channel):
    """Subject and the message's own address; the rest is behind the tap."""

    name = "webpush"
    label = _l("Notification in the browser")
    order = 20

    def send(self, outgoing: Outgoing) -> None:
        if "endpoint" not in outgoing.target:
            raise PermanentFailure("this browser has unsubscribed")
        try:
            body = vapid.encrypt(_said(outgoing), outgoing.target["p256dh"], outgoing.target["auth"])
            answer = Client.of(self.settings).request(
                "POST", outgoing.target["endpoint"], body=body, headers=self._headers(outgoing)
            )
        except (AddressRefused, ValueError) as error:
            raise PermanentFailure(f"this browser cannot be reached: {error}", is_address_dead=True) from error
        except NoAnswer as error:
            raise TransientFailure(str(error)) from error
        _judge(answer)

    def _headers(self, outgoing: Outgoing) -> dict[str, str]:
        contact = f"mailto:{parseaddr(self.settings.mail_from)[1]}"
        return {
            "Authorization": vapid.keys(self.settings.secret).authorization(outgoing.target["endpoint"], contact),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEEP_SECONDS),
            "Urgency": "normal",
            # A second copy takes the place of the first, if that was not shown yet.
            "Topic": digest(outgoing.message_id)[:32],
        }


def _said(outgoing: Outgoing) -> bytes:
    text = outgoing.facts.get("code")
    said = {
        "title": one_line(outgoing.sender_name, 80),
        "body": outgoing.rendered.subject + (f"\n{text}" if text else ""),
        "url": outgoing.facts.get("link") or outgoing.facts.get("landing_url") or "",
        "tag": digest(outgoing.message_id)[:32],
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _judge(answer: Answer) -> None:
    if answer.status in DEAD:
        raise PermanentFailure(f"HTTP {answer.status}: the subscription has ended", is_address_dead=True)
    if answer.status == 429 or answer.status >= 500:
        raise TransientFailure(f"HTTP {answer.status}", retry_after_seconds=answer.retry_after_seconds)
    if not answer.is_success:
        raise PermanentFailure(f"HTTP {answer.status}")

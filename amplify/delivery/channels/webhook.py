"""The brand's own program: each message as signed JSON, by the Standard Webhooks rules (standardwebhooks.com)."""

import json

from amplify.core import clock
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import AddressRefused, Answer, Client, NoAnswer
from amplify.core.webhooks import signature
from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import PermanentFailure, TransientFailure


class Webhook(Channel):
    """2xx is taken; 410 ends the address; whatever else is tried again, with the same id and the same body."""

    name = "webhook"
    label = _l("The brand's own program")
    order = 30

    def send(self, outgoing: Outgoing) -> None:
        if "url" not in outgoing.target:
            raise PermanentFailure("this address has ended")
        body = json.dumps(_said(outgoing), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        try:
            answer = Client.of(self.settings).request(
                "POST", outgoing.target["url"], body=body, headers=_headers(outgoing, body)
            )
        except AddressRefused as error:
            raise PermanentFailure(str(error)) from error
        except NoAnswer as error:
            raise TransientFailure(str(error)) from error
        _judge(answer)


def _said(outgoing: Outgoing) -> dict[str, object]:
    return {"type": f"message.{outgoing.template}", "data": {**outgoing.facts, "subject": outgoing.rendered.subject}}


def _headers(outgoing: Outgoing, body: bytes) -> dict[str, str]:
    message_id, stamp = outgoing.message_id.strip("<>"), str(int(clock.now().timestamp()))
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(outgoing.target["secret"], message_id, stamp, body),
    }


def _judge(answer: Answer) -> None:
    if answer.status == 410:
        raise PermanentFailure("410: it wants no more", is_address_dead=True)
    if not answer.is_success:
        raise TransientFailure(f"HTTP {answer.status}", retry_after_seconds=answer.retry_after_seconds)

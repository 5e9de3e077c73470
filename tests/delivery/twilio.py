"""A strict small Twilio of this machine: takes what the REST API documents, and refuses what the real one refuses.

Written from twilio.com/docs/messaging/api/message-resource and the pages of the error codes named below.
"""

import json
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.delivery.receivers import Receiver

SID, TOKEN, SENDER = "AC" + "0123456789abcdef" * 2, "made-up-token", "+14155550100"
ACCOUNT: dict[str, Any] = {"twilio_account_sid": SID, "twilio_auth_token": TOKEN, "sms_from": SENDER}
KNOWN = {"To", "From", "MessagingServiceSid", "Body", "StatusCallback"}


class _Refused(Exception):
    """HTTP status, the code of the error, and its words."""


@dataclass
class Twilio(Receiver):
    """`blocked`: numbers that said STOP to our sender. `took` is the fields of each message taken."""

    blocked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def judge(self, head: dict[str, str], body: bytes) -> int:
        try:
            said = self._read(head, body)
        except _Refused as refused:
            status, code, words = refused.args
            more = {"more_info": f"https://www.twilio.com/docs/errors/{code}"}
            self.said = json.dumps({"code": code, "message": words, "status": status, **more}).encode()
            return int(status)
        self.took.append(said)
        number = f"SM{len(self.took):032x}"
        self.said = json.dumps({"sid": number, "status": "queued", "num_segments": "1", "error_code": None}).encode()
        return 201

    def _read(self, head: dict[str, str], body: bytes) -> dict[str, str]:
        self._let_in(head.get("authorization", ""))
        assert head["content-type"] == "application/x-www-form-urlencoded"
        said = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        assert set(said) <= KNOWN
        for is_wrong, code, words in self._faults(said):
            if is_wrong:
                raise _Refused(400, code, words)
        return said

    def _let_in(self, word: str) -> None:
        if word != f"Basic {b64encode(f'{SID}:{TOKEN}'.encode()).decode()}":
            raise _Refused(401, 20003, "Authenticate")
        if self.path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            raise _Refused(404, 20404, f"The requested resource {self.path} was not found")

    def _faults(self, said: dict[str, str]) -> list[tuple[bool, int, str]]:
        to, sender, text = (said.get(name, "") for name in ("To", "From", "Body"))
        back = urlsplit(said.get("StatusCallback", "https://a.example"))
        return [
            (not to, 21604, "A 'To' phone number is required."),
            (not re.fullmatch(r"\+[1-9][0-9]{6,14}", to), 21211, f"The 'To' number {to} is not a valid phone number."),
            (not sender and "MessagingServiceSid" not in said, 21603, "A 'From' phone number is required."),
            (bool(sender) and sender != SENDER, 21659, f"'From' {sender} is not a Twilio phone number"),
            (not text, 21602, "Message body is required."),
            (len(text) > 1600, 21617, "The concatenated message body exceeds the 1600 character limit."),
            (not back.hostname or "_" in back.hostname, 21609, "The StatusCallback URL is not valid."),
            (to in self.blocked, 21610, "Attempt to send to unsubscribed recipient"),
            (to == "+15005550009", 21614, f"'To' number {to} is not a valid mobile number"),
        ]

"""Prints mail to the standard output, readable: for the demo and for development. Nothing leaves the machine."""

import sys
from email import message_from_bytes
from email.policy import default

from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing, compose

RULE = "-" * 72


class Console(Channel):
    """One framed letter per message, its plain text."""

    name = "console"

    def send(self, outgoing: Outgoing) -> None:
        mail = message_from_bytes(compose(outgoing), policy=default)
        head = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Message-ID")]
        # One write per mail: the letters of several threads do not mix.
        sys.stdout.write("\n".join([RULE, *head, "", outgoing.rendered.text.rstrip(), RULE, ""]))
        sys.stdout.flush()

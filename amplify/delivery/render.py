"""A message as its reader sees it: their language, the brand's look, from templates/messages/<name>/."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import css_inline
from flask import current_app

from amplify.brands.models import Brand
from amplify.core.i18n import force_locale, words
from amplify.core.web import amplify
from amplify.delivery.models import Message
from amplify.delivery.opens import open_url

UNSUBSCRIBE_PURPOSE = "unsubscribe"
PREFERENCES_PURPOSE = "preferences"
SMS = "sms"
# What differs from message to message of one template, besides its context.
ADDRESSES = ("unsubscribe_url", "preferences_url", "open_url")
# No more is taken by the other side; beyond it the channel refuses rather than cut.
LONGEST_SMS = 10_000
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]+")

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False)


class Rendered(NamedTuple):
    """What is written: one line of subject, plain text, and HTML with its styles in the elements; a text message has
    its own few words. `unsubscribe_url` stands in it, if its reader may unsubscribe."""

    subject: str
    text: str
    html: str
    short: str = ""
    unsubscribe_url: str = ""


def one_line(text: str, longest: int = 200) -> str:
    """The text without line ends and control characters: fit for a header.

    Python's email package decodes encoded words (RFC 2047) that stand in a value, and writes what comes out, line ends
    included: a name like "=?utf-8?q?A=0D=0ABcc:_x?=" would become a header of its own. So none may begin.
    """
    line = " ".join(CONTROL.sub(" ", text).replace("=?", "= ?").split())
    return line if len(line) <= longest else f"{line[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def unsubscribe_url(message: Message) -> str:
    """The one-click address of this message's reader; "" for messages that are no marketing. It never expires."""
    if not message.is_marketing:
        return ""
    installation = amplify()
    token = installation.signer(UNSUBSCRIBE_PURPOSE).sign(message.id)
    return f"{installation.settings.base_url}/unsubscribe/{token}"


def preferences_url(message: Message) -> str:
    """Where this message's reader says how they want to be written to; "" where nobody is known."""
    if not message.is_marketing or not message.person:
        return ""
    token = amplify().signer(PREFERENCES_PURPOSE).sign(message.id)
    return f"{amplify().settings.base_url}/preferences/{token}"


def context_of(message: Message, brand: Brand) -> dict[str, Any]:
    """What a template gets: the message's own context, `brand`, `demo`, `base_url` and the ADDRESSES."""
    return {
        **message.context,
        "brand": brand,
        "demo": brand.is_demo,
        "base_url": amplify().settings.base_url,
        "unsubscribe_url": unsubscribe_url(message),
        "preferences_url": preferences_url(message),
        "open_url": open_url(message, brand),
    }


def render(message: Message, brand: Brand) -> Rendered:
    """The message in its own language."""
    context = context_of(message, brand)
    written = write(message.template, message.channel, message.locale, context)
    return finished(written, context["unsubscribe_url"])


def write(template: str, channel: str, locale: str, context: Mapping[str, Any]) -> Rendered:
    """The texts of a template, not yet `finished`."""
    folder = f"messages/{template}"
    with force_locale(locale):
        known = {**context, **words()}

        def part(name: str) -> str:
            # Not Flask's render_template: it looks for a request, of which there is none here, with each part.
            return current_app.jinja_env.get_template(f"{folder}/{name}").render(known)

        if channel == SMS:
            return Rendered(known["brand"].name, "", "", part("sms.txt"))
        return Rendered(part("subject.txt"), part("body.txt"), _inliner.inline(part("body.html")))


def finished(written: Rendered, unsubscribe_url: str) -> Rendered:
    """Lines where one is needed, and the text without empty ones around it."""
    subject = one_line(written.subject)
    if written.short:
        short = one_line(written.short, LONGEST_SMS)
        return Rendered(subject, short, "", short, unsubscribe_url)
    return Rendered(subject, f"{written.text.strip()}\n", written.html, "", unsubscribe_url)

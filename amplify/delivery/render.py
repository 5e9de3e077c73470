"""A message as its reader sees it: their language, the brand's look, from templates/messages/<name>/."""

import re
from dataclasses import dataclass

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
# No more is taken by the other side; beyond it the channel refuses rather than cut.
LONGEST_SMS = 10_000
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]+")

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False)


@dataclass(frozen=True)
class Rendered:
    """What is written: one line of subject, plain text, and HTML with its styles in the elements; a text message has
    its own few words."""

    subject: str
    text: str
    html: str
    short: str = ""


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


def render(message: Message, brand: Brand) -> Rendered:
    """The message in its own language.

    Templates get `brand`, `base_url`, `unsubscribe_url`, `preferences_url`, `open_url` and `demo`, and the message's
    context.
    """
    context = {
        **message.context,
        "brand": brand,
        "demo": brand.is_demo,
        "base_url": amplify().settings.base_url,
        "unsubscribe_url": unsubscribe_url(message),
        "preferences_url": preferences_url(message),
        "open_url": open_url(message, brand),
    }
    folder = f"messages/{message.template}"
    with force_locale(message.locale):
        context |= words()

        def part(name: str) -> str:
            # Not Flask's render_template: it looks for a request, of which there is none here, with each part.
            return current_app.jinja_env.get_template(f"{folder}/{name}").render(context)

        if message.channel == SMS:
            short = one_line(part("sms.txt"), LONGEST_SMS)
            return Rendered(one_line(brand.name), short, "", short)
        subject, text, html = (part(name) for name in ("subject.txt", "body.txt", "body.html"))
    return Rendered(one_line(subject), text.strip() + "\n", _inliner.inline(html))

"""The way from a short link to its answer, as a small pure core: facts in, decision out, no framework, no database.

The Flask view is one front of it; a faster one may stand beside it and decide the same.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from amplify.tracking import verdicts

# Travels to the landing page, so that the shop can name the click an order came from.
CLICK_PARAMETER = "amplify_click"
# What the redirect and the preview always say. A kept redirect would hide the next click from us.
HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Robots-Tag": "noindex",
}

# Most requests have none of these, and seven questions cost more than one.
RARE = frozenset({"sec-purpose", "purpose", "x-purpose", "x-moz", "sec-gpc", "dnt"})
# Characters of headers that are kept in memory; longer ones could fill it.
MOST_REMEMBERED = 1_000

Kind = Literal["unknown", "ended", "preview", "redirect"]


class Hit(NamedTuple):
    """What a request of a tracked link said. No address of the visitor: see `visitors`."""

    method: str
    user_agent: str
    purpose: str
    referrer_host: str
    language: str
    gpc: bool
    is_own: bool


class Target(NamedTuple):
    """What the link table says of a code; plain values, so that they may be kept in memory."""

    link_id: int
    brand_id: int
    advocate_id: int
    url: str
    # The brand's allow-list, read again: a host may have been taken off since the link was made.
    is_allowed: bool
    # The campaign was not stopped and the link was not disabled.
    leads_on: bool
    expires_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether the link leads anywhere at this instant."""
        return self.leads_on and self.is_allowed and (self.expires_at is None or now < self.expires_at)


class Answer(NamedTuple):
    """What to say. A click is recorded for "preview" and "redirect" only: the others are no link of ours any more."""

    kind: Kind
    url: str = ""

    @property
    def records(self) -> bool:
        return self.kind in ("preview", "redirect")


def read_hit(method: str, header: Callable[[str], str | None], *, is_own: bool) -> Hit:
    """The facts of a request, bounded to what is stored. `header` takes names in lower case."""
    purpose = header("sec-purpose") or header("purpose") or header("x-purpose") or header("x-moz") or ""
    language = header("accept-language") or ""
    return Hit(
        method=method[:8],
        user_agent=_plain(header("user-agent") or "", 400),
        purpose=_plain(purpose, 40),
        referrer_host=_host(header("referer")),
        language=_plain(language.partition(",")[0].partition(";")[0], 40),
        gpc=header("sec-gpc") == "1" or header("dnt") == "1",
        is_own=is_own,
    )


def read_plain_person(header: Callable[[str], str | None]) -> Hit | None:
    """The same of a GET without any of RARE, from anybody but the advocate; None of a machine.

    Remembered: many people share a browser, its language, and where they come from (browsers name only the site).
    """
    agent, language, referrer = header("user-agent") or "", header("accept-language") or "", header("referer") or ""
    is_short = len(agent) + len(language) + len(referrer) <= MOST_REMEMBERED
    return (_plain_person if is_short else _plain_person.__wrapped__)(agent, language, referrer)


@lru_cache(maxsize=4096)
def _plain_person(user_agent: str, language: str, referrer: str) -> Hit | None:
    said = {"user-agent": user_agent, "accept-language": language, "referer": referrer}
    return read_person(said.get)


def read_person(header: Callable[[str], str | None]) -> Hit | None:
    """The facts of a GET from anybody but the advocate; None of a machine, which `decide` does not lead on."""
    hit = read_hit("GET", header, is_own=False)
    return None if verdicts.is_machine(hit) else hit


def decide(hit: Hit, target: Target | None, now: datetime) -> Answer:
    """What a code deserves. The target comes from the table only; nothing of the request can change it."""
    if target is None:
        return Answer("unknown")
    if not target.is_open(now):
        return Answer("ended")
    return Answer("preview" if verdicts.is_machine(hit) else "redirect", target.url)


def with_click(url: str, token: str | None) -> str:
    """The target with the click's token in its query; the target itself when the click could not be stored."""
    if token is None:
        return url
    before, after = _around_token(url)
    return f"{before}{token}{after}"


@lru_cache(maxsize=4096)
def _around_token(url: str) -> tuple[str, str]:
    address, mark, fragment = url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{CLICK_PARAMETER}=", mark + fragment


def country_of(value: str | None) -> str:
    """The two letters of a country as a network in front of us says it; "" for anything else, also for its unknowns."""
    country = (value or "").strip().upper()
    return country if len(country) == 2 and country.isascii() and country.isalpha() and country != "XX" else ""


def _plain(text: str, length: int) -> str:
    """Printable text that both databases take: no control character, no lone surrogate, bounded."""
    if text.isprintable():  # nearly every header is: no need to look at each character
        return text.strip()[:length]
    readable = "".join(c for c in text[: 2 * length] if c >= " " and c != "\x7f" and not "\ud800" <= c <= "\udfff")
    return readable.strip()[:length]


def _host(referrer: str | None) -> str:
    if not referrer:
        return ""
    try:
        return _plain(urlsplit(referrer).hostname or "", 255)
    except ValueError:
        return ""

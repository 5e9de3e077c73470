"""The addresses of every page there is: a new page is looked at by the tests without being named anywhere."""

import re
from collections.abc import Iterator

import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.web import amplify
from amplify.demo.links import links
from amplify.leaderboards.board_links import make_link
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.sharing.models import ShareLink
from amplify.sharing.tokens import PURPOSE, read_token
from amplify.tracking.models import Click

# Answers of another kind than a page: their own tests look at them.
NOT_PAGES = (
    "static",
    "/api/",
    ".csv",
    ".ics",
    ".png",
    ".gif",
    ".svg",
    ".css",
    ".xlsx",
    ".json",
    "/events",
    "/metrics",
    "/healthz",
    "/readyz",
)
# Addresses that need something a brand need not have: a run, an upload, a one-time token. Their own tests have it.
ELSEWHERE = (
    "imports/<int:",
    "thanks/<token>",
    "/reset/<token>",
    "/s/<code>",
    "/unsubscribe/",
    "/preferences/",
    "/share/<token>/",
    "/probe/",  # planted by the guard's tests
)


def addresses(app: APIFlask, session: Session, brand: Brand) -> Iterator[str]:
    """One address for every page that takes a GET. `brand`: the demo's, or a small version of it."""
    values = values_of(session, brand)
    for rule in app.url_map.iter_rules():
        address = rule.rule
        if "GET" not in (rule.methods or ()) or any(part in address for part in NOT_PAGES + ELSEWHERE):
            continue
        yield re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found: values[found[1]], address)


def values_of(session: Session, brand: Brand) -> dict[str, str]:
    """Parameter of an address -> something that is there."""
    known = links(session, brand.id, amplify().signer(PURPOSE))
    (token,) = {link.path.split("/")[2] for link in known if link.path.startswith("/board/")}
    newest = {
        f"{table}_id": str(session.scalar(sa.text(f"SELECT max(id) FROM {table}s")))  # noqa: S608  our own names
        for table in ("campaign", "survey", "customer", "advocate", "snapshot")
    }
    newest["case_id"] = str(session.scalar(sa.text("SELECT max(id) FROM risk_cases")))
    newest["appeal_id"] = str(session.scalar(sa.text("SELECT max(id) FROM entry_appeals")))
    board = read_token(session, amplify().signer(PURPOSE), token)
    mine = sa.select(sa.func.max(Click.id)).join(ShareLink, ShareLink.id == Click.link_id)
    newest["subject"] = f"click:{session.scalar(mine.where(ShareLink.advocate_id == board.advocate.id))}"
    link_id = str(session.scalar(sa.text("SELECT max(id) FROM share_links")))
    brand.frame_origins = ["https://www.brisa.example"]
    _link, newest["secret"] = make_link(
        session, brand, name="Brisa", board=WHOLE_BRAND, shown=10, days=9, password="", actor="system"
    )
    return {"token": token, "brand": brand.slug, "slug": brand.slug, "survey": "stay", "link_id": link_id, **newest}

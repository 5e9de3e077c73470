"""The console's pages about links: what came of each, raw beside human, and why."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, render_template, request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from amplify.accounts import panels
from amplify.brands.models import Brand
from amplify.core import nav
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.ui import number
from amplify.core.web import amplify
from amplify.sharing.channel import registry
from amplify.tracking import figures, queries
from amplify.tracking.wording import verdict_words

blueprint = Blueprint("links", __name__, url_prefix="/console/links")
nav.add("links.listing", _l("Links"), "link", order=40)


class LinkFilter(BaseModel):
    """The query of the list."""

    page: int = Field(1, ge=1, le=100_000)
    sort: str = Field("-created", max_length=20)
    campaign: int | None = Field(None, ge=1, le=2**63 - 1)


@dataclass(frozen=True)
class ReasonLine:
    """A row of the table of reasons."""

    label: Any
    reason: Any
    rule: str
    n: int
    is_human: bool


@blueprint.get("")
@staff()
def listing() -> str:
    """All links of the brand."""
    query = parse_query(LinkFilter, request)
    rows, total = queries.links(db.session, g.brand.id, page=query.page, sort=query.sort, campaign_id=query.campaign)
    return render_template(
        "tracking/links.html",
        links=rows,
        total=total,
        page=query.page,
        pages=-(-total // queries.PAGE),
        sort=query.sort,
        reasons=_reason_lines(None),
        channel_label=channel_label,
    )


@blueprint.get("/<int:link_id>")
@staff()
def one(link_id: int) -> str:
    """One link with its clicks."""
    link = queries.link_of(db.session, g.brand.id, link_id)
    return render_template(
        "tracking/link.html",
        link=link,
        brand=g.brand,
        days=figures.days_of(db.session, g.brand, link) if link.raw else None,
        clicks=queries.clicks(db.session, link.id),
        reasons=_reason_lines(link.id),
        address=f"{amplify().settings.base_url}/s/{link.code}",
        channel_label=channel_label,
        verdict_words=verdict_words,
    )


def _reason_lines(link_id: int | None) -> list[ReasonLine]:
    found = queries.reasons(db.session, g.brand.id, link_id=link_id)
    return [ReasonLine(*verdict_words(r.verdict), r.rule, r.n, r.verdict == "human") for r in found]


def channel_label(name: str) -> str:
    """A channel as people call it; one that is not installed any more by its own name."""
    channel = registry().get(name)
    return str(channel.label) if channel else name


def _tiles(session: Session, brand: Brand) -> list[panels.Tile]:
    raw, human, orders = queries.recent(session, brand.id)
    window = _l("last 30 days")
    return [
        panels.Tile(_l("Human clicks"), number(human), human, raw, window, href="/console/links"),
        panels.Tile(_l("Purchases that followed"), number(orders), orders, human, window, href="/console/links"),
    ]


panels.add_tiles("clicks", 40, _tiles)

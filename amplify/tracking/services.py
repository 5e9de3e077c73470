"""Clicks: found, recorded, judged in order exactly once, and told to whoever gives points for them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, allow_target
from amplify.campaigns.models import Campaign
from amplify.core.bulk import insert_ignore
from amplify.core.db import enter_fence, horizon
from amplify.core.errors import Invalid
from amplify.core.events import publish
from amplify.core.tokens import uuid7
from amplify.sharing.models import ShareLink
from amplify.tracking import counting, cursors, visitors
from amplify.tracking.confirming import confirm_shares
from amplify.tracking.conversions import attribute_pending
from amplify.tracking.events import HumansClicked
from amplify.tracking.judging import as_row, judge_in_order
from amplify.tracking.models import SEEN, Click, ClickVerdict, Seen
from amplify.tracking.redirect import Hit, Target
from amplify.tracking.revising import take_back

FENCE = "clicks"


def find_target(session: Session, code: str) -> Target | None:
    """What a short code leads to; None if there is no such code."""
    return find_targets(session, [code]).get(code)


def find_targets(session: Session, codes: Sequence[str]) -> dict[str, Target]:
    """What short codes lead to; those that do not exist are not in it."""
    return {
        link.code: Target(
            link_id=link.id,
            brand_id=link.brand_id,
            advocate_id=link.advocate_id,
            url=link.target_url,
            is_allowed=_is_allowed(link.target_url, link.target_hosts),
            leads_on=link.state != "stopped" and link.disabled_at is None,
            expires_at=link.expires_at,
        )
        for link in session.execute(_TARGETS, {"codes": codes})
    }


# Columns rather than objects, and made once: a viral campaign's links are read anew every second or two.
_TARGETS = (
    sa.select(
        ShareLink.code, ShareLink.id, ShareLink.brand_id, ShareLink.advocate_id, ShareLink.target_url,
        ShareLink.disabled_at, ShareLink.expires_at, Campaign.state, Brand.target_hosts,
    )
    .join(Campaign, Campaign.id == ShareLink.campaign_id)
    .join(Brand, Brand.id == ShareLink.brand_id)
    .where(ShareLink.code.in_(sa.bindparam("codes", expanding=True)))
)  # fmt: skip


def _is_allowed(url: str, hosts: Collection[str]) -> bool:
    try:
        allow_target("target_url", url, hosts)
    except Invalid:
        return False
    return True


def record_click(
    session: Session, link_id: int, hit: Hit, *, address: str, secret: str, at: datetime, country: str = ""
) -> Click:
    """Store one request as the fact it is; the caller commits before it answers. `address` itself is not kept."""
    enter_fence(session, FENCE)
    visitor = visitors.visitor_key(session, secret=secret, address=address, user_agent=hit.user_agent, at=at)
    click = Click(
        token=uuid7(),
        link_id=link_id,
        at=at,
        method=hit.method,
        user_agent=hit.user_agent,
        referrer_host=hit.referrer_host,
        language=hit.language,
        country=country,
        visitor=visitor,
        purpose=hit.purpose,
        gpc=hit.gpc,
        is_own=hit.is_own,
    )
    session.add(click)
    session.flush()
    return click


def track(session: Session, limit: int) -> int:
    """Worker round: judge up to `limit` clicks in order, then attribute the conversions that waited for a verdict.

    Verdicts, everything that follows from them and the cursor are one transaction, and only one worker at a time
    holds the cursor: each click is judged exactly once. Returns how many rows moved.
    """
    cursor = cursors.take(session, cursors.TRACKER)
    if cursor is None:
        return 0
    last = horizon(session, FENCE, Click.id)
    unjudged = sa.select(*SEEN).where(Click.id > cursor.position, Click.id <= last)
    clicks = [Seen(*row) for row in session.execute(unjudged.order_by(Click.id).limit(limit))]
    if clicks:
        _judge(session, clicks, cursor.position)
        cursor.move(clicks[-1].id)
    return len(clicks) + attribute_pending(session, limit)


def _judge(session: Session, clicks: Sequence[Seen], position: int) -> None:
    found = judge_in_order(session, clicks)
    take_back(session, found.changes, until=position)
    judged = list(zip(clicks, found.verdicts, strict=True))
    ids = {click.link_id for click in clicks}
    links = {link.id: link for link in session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(ids)))}
    rows = [{"click_id": click.id, "link_id": click.link_id, **as_row(verdict)} for click, verdict in judged]
    if insert_ignore(session, ClickVerdict, rows) == len(rows):
        cells = (counting.cell(click, one.name, one.rule, links[click.link_id].brand_id) for click, one in judged)
        counting.move(session, Counter(cells))
    else:  # a cursor was put back by hand: some are counted already
        counting.rebuild(session, ids)
    _tell(session, [click for click, verdict in judged if verdict.name == "human"], links)


def _tell(session: Session, human: Sequence[Seen], links: Mapping[int, ShareLink]) -> None:
    confirm_shares(session, human)
    if human:
        publish(session, HumansClicked([(click, links[click.link_id]) for click in human]))

"""Clicks: found, recorded, judged in order exactly once, and told to whoever gives points for them."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, allow_target
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import enter_fence, horizon, insert_ignore
from amplify.core.errors import Invalid
from amplify.core.events import publish
from amplify.core.tokens import uuid7
from amplify.sharing import services as sharing
from amplify.sharing.models import Share, ShareLink
from amplify.tracking import cursors, verdicts, visitors
from amplify.tracking.conversions import attribute_pending
from amplify.tracking.events import HumansClicked
from amplify.tracking.models import Click, ClickVerdict, FirstClick
from amplify.tracking.redirect import Hit, Target
from amplify.tracking.surroundings import Window, read_surroundings

FENCE = CURSOR = "clicks"


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
    cursor = cursors.take(session, CURSOR)
    if cursor is None:
        return 0
    last = horizon(session, FENCE, Click.id)
    unjudged = sa.select(Click).where(Click.id > cursor.position, Click.id <= last)
    clicks = session.scalars(unjudged.order_by(Click.id).limit(limit)).all()
    if clicks:
        _judge(session, clicks)
        cursor.move(clicks[-1].id)
    return len(clicks) + attribute_pending(session, limit)


def _judge(session: Session, clicks: Sequence[Click]) -> None:
    windows = _open_windows(session, clicks)
    surroundings = read_surroundings(session, clicks, windows)
    human = []
    rows = []
    for click in clicks:
        before = _is_inside(windows, click)
        verdict = verdicts.judge(click, counted_before=before, around=surroundings.of(click))
        rows.append(_row(click, verdict))
        if verdict.name == "human":
            windows[click.link_id, click.visitor] = click.at
            human.append(click)
    insert_ignore(session, ClickVerdict, rows)
    _keep_windows(session, {(c.link_id, c.visitor): c.at for c in human}, clicks[0].at)
    _tell(session, human)


def _row(click: Click, verdict: verdicts.Verdict) -> dict[str, object]:
    return {
        "click_id": click.id,
        "link_id": click.link_id,
        "verdict": verdict.name,
        "rule": verdict.rule,
        "rules_version": verdicts.RULES_VERSION,
        "judged_at": clock.now(),
    }


def _is_inside(windows: Window, click: Click) -> bool:
    opened = windows.get((click.link_id, click.visitor))
    return opened is not None and click.at - opened < verdicts.WINDOW


def _open_windows(session: Session, clicks: Sequence[Click]) -> Window:
    """When the current windows of the visitors of these clicks were opened, on whichever link."""
    visitors = list({click.visitor for click in clicks})
    found: Window = {}
    for start in range(0, len(visitors), 500):
        among = FirstClick.visitor.in_(visitors[start : start + 500])
        for first in session.execute(sa.select(FirstClick.link_id, FirstClick.visitor, FirstClick.at).where(among)):
            found[first.link_id, first.visitor] = first.at
    return found


def _keep_windows(session: Session, opened: Window, oldest: datetime) -> None:
    """Remember the windows these clicks opened, and forget those that are over for every click still to come."""
    session.execute(sa.delete(FirstClick).where(FirstClick.at <= oldest - verdicts.WINDOW))
    rows = [{"link_id": link_id, "visitor": visitor, "at": at} for (link_id, visitor), at in opened.items()]
    new = insert_ignore(session, FirstClick, rows)
    if new < len(rows):  # a batch that reaches over a day opens the same window anew
        session.execute(sa.update(FirstClick), rows)


def _tell(session: Session, human: Sequence[Click]) -> None:
    ids = {click.link_id for click in human}
    links = {link.id: link for link in session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(ids)))}
    waiting = sa.select(Share.link_id).where(Share.link_id.in_(ids), Share.state == "opened").distinct()
    unconfirmed = set(session.scalars(waiting))
    for click in human:
        if click.link_id in unconfirmed:
            sharing.confirm(session, links[click.link_id], click.at)
    if human:
        publish(session, HumansClicked([(click, links[click.link_id]) for click in human]))

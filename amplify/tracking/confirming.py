"""A person's click confirms the share that it came through, until it turns out to be no person's."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.sharing import services as sharing
from amplify.sharing.models import Share, ShareLink
from amplify.tracking.models import SEEN, Click, ClickFacts, ClickVerdict, Seen


def confirm_shares(session: Session, human: Sequence[ClickFacts]) -> None:
    """Confirm what these human clicks, in their order, are the first to confirm."""
    ids = {click.link_id for click in human}
    waiting = sa.select(Share.link_id).where(Share.link_id.in_(ids), Share.state == "opened")
    links = {link.id: link for link in session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(waiting)))}
    for click in human:
        if click.link_id in links:
            sharing.confirm(session, links[click.link_id], click.at, click.id)


def take_back_confirmations(session: Session, lost: Sequence[ClickFacts], *, until: int) -> None:
    """What these clicks had confirmed is confirmed by the next person's click instead, if one came (up to `until`)."""
    for click in lost:
        if sharing.unconfirm(session, click.link_id, click.id) is None:
            continue
        number, link_id, verdict = ClickVerdict.click_id, ClickVerdict.link_id, ClickVerdict.verdict
        later = sa.select(*SEEN).join(ClickVerdict, number == Click.id).where(number > click.id, number <= until)
        human = later.where(link_id == click.link_id, verdict == "human").order_by(number).limit(1)
        confirm_shares(session, [Seen(*row) for row in session.execute(human)])

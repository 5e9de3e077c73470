"""A person's click confirms the share that it came through."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.sharing import services as sharing
from amplify.sharing.models import Share, ShareLink
from amplify.tracking.models import Click


def confirm_shares(session: Session, human: Sequence[Click]) -> None:
    """Confirm what these human clicks, in their order, are the first to confirm."""
    ids = {click.link_id for click in human}
    waiting = sa.select(Share.link_id).where(Share.link_id.in_(ids), Share.state == "opened")
    links = {link.id: link for link in session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(waiting)))}
    for click in human:
        if click.link_id in links:
            sharing.confirm(session, links[click.link_id], click.at)

"""Where to click: one address for each thing the demo shows, all of them real rows of the demo brand."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.core.tokens import Signer
from amplify.core.web import Amplify
from amplify.demo import texts
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.models import Standing
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.tokens import PURPOSE, share_page_token


class Link(NamedTuple):
    """What is there, and where."""

    what: str
    path: str


def where_to_click(settings: Settings) -> list[Link]:
    """The links of the demo with these settings."""
    app = create_app(settings)
    with app.app_context():
        brand = db.session.scalars(sa.select(Brand).where(Brand.slug == texts.SLUG)).one()
        found = links(db.session, brand.id, Amplify(settings).signer(PURPOSE))
        db.session.close()
        db.engine.dispose()
    return found


def links(session: Session, brand_id: int, signer: Signer) -> list[Link]:
    """The list that the demo prints. `signer` is of sharing.tokens.PURPOSE."""
    share, advocate = _best_share(session, brand_id)
    token = share_page_token(signer, advocate, share.response_id, _live(session, brand_id).id)
    return [
        Link("The survey a guest answers", f"/b/{texts.SLUG}/survey/stay"),
        Link("The same in Spanish", f"/b/{texts.SLUG}/survey/stay?lang=es"),
        Link("A guest's share page", f"/share/{token}"),
        Link("The same guest's place on the board", f"/board/{token}"),
        Link("A tracked link, as a friend clicks it", f"/s/{share.link.code}"),
        Link("The console", "/console"),
        Link("Leaderboard", "/console/leaderboard"),
        Link("Campaigns", "/console/campaigns"),
        Link("Survey results", "/console/surveys/results"),
    ]


def _best_share(session: Session, brand_id: int) -> tuple[Share, Advocate]:
    """A share by somebody near the top of the brand's board, with what they wrote."""
    board = find_board(session, brand_id)
    board_id = board.id if board else 0
    found = session.execute(
        sa.select(Share, Advocate)
        .join(ShareLink, ShareLink.id == Share.link_id)
        .join(Advocate, Advocate.id == ShareLink.advocate_id)
        .join(Standing, Standing.advocate_id == Advocate.id)
        .where(Standing.board_id == board_id, Share.brand_id == brand_id, Standing.score_log.is_not(None))
        .order_by(Standing.score_log.desc(), Share.id)
        .limit(1)
    ).one()
    return found[0], found[1]


def _live(session: Session, brand_id: int) -> Campaign:
    newest = Campaign.is_always_on, Campaign.started_at.desc()
    mine = sa.select(Campaign).where(Campaign.brand_id == brand_id, Campaign.state == "live").order_by(*newest)
    return session.scalars(mine.limit(1)).one()

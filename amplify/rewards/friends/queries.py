"""What came of the friends' side of a campaign: how many asked, got and used it, and why others did not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.rewards.friends.terms import of
from amplify.rewards.models import Friend, Push, Reward
from amplify.rewards.states import LEFT
from amplify.sharing.models import Advocate, ShareLink, public_name

REFUSED = "refused"


@dataclass(frozen=True)
class Befriended:
    """`states`: how many pushes are in each; `refused`: rule -> how many who asked got nothing so far."""

    reward: Reward
    states: Counter[str]
    refused: Counter[str]

    @property
    def asked(self) -> int:
        return self.states.total() + self.refused.total()

    @property
    def given(self) -> int:
        """Were shown their code, whatever came after."""
        return sum(self.states[name] for name in LEFT)

    @property
    def redeemed(self) -> int:
        return self.states["redeemed"]


@dataclass(frozen=True)
class Line:
    """One friend: when the shop asked last, through whose link they came, and what became of it."""

    asked_at: datetime
    name: str
    state: str
    reason: str
    locale: str | None
    amount_minor: int | None
    sent_at: datetime | None
    redeemed_at: datetime | None


def results(session: Session, campaign: Campaign) -> Befriended | None:
    """The counts so far; None: friends get nothing from this campaign."""
    reward = of(session, campaign)
    if reward is None:
        return None
    mine = Friend.campaign_id == campaign.id
    state = sa.func.coalesce(Push.state, REFUSED)
    counted = sa.select(state, sa.case((Push.id.is_(None), Friend.rule), else_=""), sa.func.count())
    rows = session.execute(counted.outerjoin(Push, Push.id == Friend.push_id).where(mine).group_by(sa.text("1, 2")))
    states, refused = Counter[str](), Counter[str]()
    for name, rule, count in rows:
        if name == REFUSED:
            refused[rule] += count
        else:
            states[name] += count
    return Befriended(reward, states, refused)


def lines(session: Session, campaign: Campaign, limit: int | None = None, offset: int = 0) -> Iterator[Line]:
    """Every friend who asked, the latest first; advocates by the names they agreed to."""
    said = (
        sa.func.coalesce(Push.state, REFUSED),
        sa.case((Push.id.is_(None), Friend.rule), else_=Push.reason),
        Push.locale, Push.amount_minor, Push.sent_at, Push.redeemed_at,
    )  # fmt: skip
    joined = (
        sa.select(Friend.asked_at, public_name(), *said)
        .join(ShareLink, ShareLink.id == Friend.link_id)
        .join(Advocate, Advocate.id == ShareLink.advocate_id)
        .outerjoin(Push, Push.id == Friend.push_id)
        .where(Friend.campaign_id == campaign.id)
    )
    found = joined.order_by(Friend.asked_at.desc(), Friend.id.desc()).limit(limit).offset(offset)
    return (Line(*row) for row in session.execute(found.execution_options(yield_per=1000)))

"""Friends of the demo: what the shop asked for those who came through links of the live campaign."""

from functools import partial
from random import Random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.rewards import services
from amplify.rewards.friends.asking import Question, ask
from amplify.sharing.models import ShareLink
from amplify.tracking.buyers import key_of
from amplify.tracking.models import Click

MOST = 40
WINDOW_DAYS = 30


def befriend(session: Session, brand: Brand, name: str, random: Random, actor: str) -> None:
    """The shop asks for the latest visits of this campaign, machines among them; a third of the codes are used."""
    visits = sa.select(Click.token).join(ShareLink, ShareLink.id == Click.link_id)
    mine = visits.join(Campaign, Campaign.id == ShareLink.campaign_id)
    latest = mine.where(Campaign.brand_id == brand.id, Campaign.name == name).order_by(Click.id.desc()).limit(MOST)
    keyed = partial(key_of, brand.slug, brand.id)
    for token in session.scalars(latest).all():
        answer = ask(session, brand, Question(token), window_days=WINDOW_DAYS, key_of=keyed)
        if answer.push is not None and answer.is_new and random.random() < 1 / 3:
            services.redeem(session, brand.id, str(answer.push.code), actor)

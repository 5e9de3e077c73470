"""What tests about the ways of rewards share: a start for three people, its pushes, and sending them."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.delivery.models import Message
from amplify.delivery.sending import send_batch
from amplify.rewards.models import Push
from tests.rewards.making import START, make_rewarded


class Started:
    """A brand, and a campaign that rewards three of its advocates when `start` is called."""

    session: Session
    settings: Settings
    brand: Brand

    def start(self) -> list[Push]:
        make_rewarded(self.session, self.brand, top=3, codes=6)
        campaigns.start_due(self.session, START)
        jobs.drain(self.session)
        return self.pushes()

    def pushes(self) -> list[Push]:
        self.session.expire_all()
        return list(self.session.scalars(sa.select(Push).order_by(Push.rank)))

    def send(self) -> None:
        """What the worker's rounds and jobs do, until nothing is left to be sent."""
        for _ in range(3):
            self.session.commit()
            ids = list(self.session.scalars(sa.select(Message.id).where(Message.state.in_(("waiting", "queued")))))
            send_batch(db.sessionmaker, self.settings, ids)
            self.session.expire_all()
